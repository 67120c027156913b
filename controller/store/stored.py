"""A row as the database returned it: its columns by name, which the statement beside it tells."""

from typing import Any, TypeAlias

StoredRow: TypeAlias = Any
