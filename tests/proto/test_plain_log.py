"""A name from outside reaches no terminal as it is, and forges no line of a log."""

import logging

from jetfleet.plain_log import PlainFormatter, printable


def test_control_characters_are_spelt_out() -> None:
    assert printable("a\x1b[31mred\x07 \x9b2J \u202eevil \u00e9\ttab") == (
        "a\\x1b[31mred\\x07 \\x9b2J \\u202eevil \u00e9\ttab"
    )


def test_a_name_cannot_begin_a_line() -> None:
    record = logging.LogRecord("agent", logging.INFO, "x.py", 1, "task %s", ("a\r\n2026 ERROR forged",), None)
    assert PlainFormatter("%(levelname)s %(message)s").format(record) == "INFO task a\\x0d\n    2026 ERROR forged"
