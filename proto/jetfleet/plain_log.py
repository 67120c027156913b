"""Logs that a terminal can show: names come from files, models and other machines, and may hold control characters."""

import json
import logging
from datetime import datetime, timezone

from jetfleet.log_fields import log_fields

_HIDDEN = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_HIDDEN |= {
    code: f"\\u{code:04x}" for code in (0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


def printable(text: str, *, indent: str = "    ") -> str:
    """Control characters, and those that turn the direction of writing, spelt out.

    Lines after the first are indented: no name can begin a line of its own.
    """
    return text.translate(_HIDDEN).replace("\n", f"\n{indent}")


def printable_line(text: str) -> str:
    """Likewise, on one line whatever it holds."""
    return text.translate(_HIDDEN).replace("\n", "\\n")


class PlainFormatter(logging.Formatter):
    """A formatter whose every record is one that a terminal can show."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line, ASCII only: `at`, `level`, `logger`, `message`, `trace` of an error, and log_fields."""

    def format(self, record: logging.LogRecord) -> str:
        said = {
            **log_fields(),
            "at": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            said["trace"] = self.formatException(record.exc_info)
        return json.dumps({name: value.translate(_HIDDEN) for name, value in said.items()})


def log_plainly(
    *,
    debug: bool = False,
    format_: str = "%(asctime)s %(levelname)s %(name)s: %(message)s",
    as_json: bool = False,
) -> None:
    """Sends the program's logs to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if as_json else PlainFormatter(format_))
    logging.basicConfig(handlers=[handler], level=logging.DEBUG if debug else logging.INFO)
