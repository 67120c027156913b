"""What both commands owe to whatever they print to: a closed, full or broken standard output, and one without Unicode.

Knows nothing of verbs. A reader that has seen enough (`| head`) ends a command with 141 and without a word, as
shells report any program that SIGPIPE ended; an output that takes no more is told, with exit code 4.
"""

import codecs
import contextlib
import os
import sys
from collections.abc import Callable
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import Any, Literal, TextIO

from jetfleet.errors import JetfleetError
from jetfleet.os_errors import explained

READER_GONE = 141  # 128 + SIGPIPE
_IN_ASCII = "jetfleet-in-ascii"
# What is printed beyond ASCII, and what stands for it where a terminal cannot show it.
_ASCII = {
    "±": "+/-",
    "×": "x",
    "µ": "u",
    "μ": "u",
    "°": " deg",
    "·": "*",
    "•": "*",
    "…": "...",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
    "→": "->",
    "←": "<-",
    "↑": "^",
    "↓": "v",
    "–": "-",
    "—": "-",
    "−": "-",
    "\u00a0": " ",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "✓": "ok",
    "✔": "ok",
    "✗": "x",
    "✘": "x",
    **dict.fromkeys("─━═╌╴╶╸╺", "-"),
    **dict.fromkeys("│┃║╎", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝╠╣╦╩╬╞╡╪", "+"),
    **dict.fromkeys("█▓▒░", "#"),
}


def in_ascii(text: str) -> str:
    """The text in ASCII: what has such a form in that, anything else as `?`, undecodable bytes as `\\xff`."""
    return "".join(letter if letter.isascii() else _ascii_form(letter) for letter in text)


def encodable(text: str, encoding: str | None) -> str:
    """The text, or its ASCII form where the encoding lacks a part of it: before a table is laid out, not after."""
    if text.isascii():
        return text
    try:
        text.encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return in_ascii(text)
    return text


def prepare_streams() -> None:
    """Opens what was closed (`>&-`), and lets nothing that is printed fail for a terminal that cannot show it.

    A closed standard output cannot be written to afterwards either, but no other file takes its number.
    """
    codecs.register_error(_IN_ASCII, _replaced)
    sys.stdin = sys.stdin if sys.stdin is not None else _opened(0, os.O_WRONLY, "r")
    if sys.stdout is None:
        sys.stdout = _named(_opened(1, os.O_RDONLY, "w"))
    sys.stderr = sys.stderr if sys.stderr is not None else _opened(2, os.O_WRONLY, "w")
    if sys.stdout is sys.__stdout__ and isinstance(sys.stdout, TextIOWrapper):
        sys.stdout = _named(sys.stdout)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_IN_ASCII)


def run_printing(run: Callable[[], int], *, tell: Callable[[JetfleetError], int]) -> int:
    """Runs a command to its exit code, and all that it printed out of the buffers. `tell` prints an error.

    Errors of the operating system are told as what they are: none of them is a bug.
    """
    try:
        try:
            code = run()
        except SystemExit as ended:  # argparse, when it has printed its help
            code = ended.code if isinstance(ended.code, int) else 0
        except JetfleetError as error:
            code = tell(error)
        sys.stdout.flush()
        sys.stderr.flush()
        return code
    except OSError as error:
        told = explained(error)
        if told is None:
            raise
        _abandon(sys.stdout)
        if isinstance(error, BrokenPipeError):
            return READER_GONE
        with contextlib.suppress(OSError):
            tell(told)
            sys.stderr.flush()
        _abandon(sys.stderr)
        return told.exit_code


class _StandardOutput(FileIO):
    """Says in its errors which file they are about: no other stream does."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            error.filename = "standard output"
            raise


def _named(stream: TextIOWrapper) -> TextIOWrapper:
    buffer = BufferedWriter(_StandardOutput(stream.fileno(), "wb", closefd=False))
    return TextIOWrapper(buffer, encoding=stream.encoding, line_buffering=stream.line_buffering)


def _abandon(stream: TextIO) -> None:
    """Nothing that is still to be written there can fail, at the interpreter's end least of all."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _opened(number: int, flags: int, mode: Literal["r", "w"]) -> TextIOWrapper:
    opened = os.open(os.devnull, flags)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    return TextIOWrapper(open(number, f"{mode}b", closefd=False), encoding="utf-8", line_buffering=number == 2)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return in_ascii(error.object[error.start : error.end]), error.end


def _ascii_form(letter: str) -> str:
    if 0xDC80 <= ord(letter) <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return _ASCII.get(letter, "?")
