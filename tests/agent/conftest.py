"""These tests also run without the conftest.py of the whole, on a board's Python: the same examples there."""

from hypothesis import settings

settings.load_profile("ci")
