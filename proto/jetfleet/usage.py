"""Mistakes in a command line, told in one form by both commands, whatever parses it."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from jetfleet.errors import BadInput

_MOST_VERBS = 30


def unknown_option(name: str, known: Iterable[str], *, command: str) -> BadInput:
    words = {word.lstrip("-"): word for word in known}  # the dashes are alike in all of them
    near = " or ".join(words[word] for word in _near(name.lstrip("-"), words))
    return BadInput(f"{name!r} is not a valid option of `{command}`", expected=near, hint=_help(command))


def unknown_verb(name: str, known: Iterable[str], *, command: str) -> BadInput:
    verbs = list(known)
    near = " or ".join(_near(name, verbs)) or f"one of: {', '.join(verbs[:_MOST_VERBS])}"
    return BadInput(f"{name!r} is not a valid verb of `{command}`", expected=near, hint=_help(command))


def missing(name: str, *, usage: str, command: str) -> BadInput:
    """`usage` is the verb's own line of it."""
    return BadInput(f"{name} is missing", expected=usage, hint=_help(command))


def wrong_usage(message: str, *, where: str = "", expected: str = "", command: str) -> BadInput:
    """Anything else that is wrong with an option or an argument."""
    said = message.strip().removesuffix(".")
    return BadInput(said[:1].lower() + said[1:], where=where, expected=expected, hint=_help(command))


def named_value(text: str, *, what: str, where: str, expected: str = "NAME=VALUE") -> tuple[str, str]:
    """`NAME=VALUE` as both. Raises BadInput for what has no name, or no `=`."""
    name, equals, value = text.partition("=")
    if not name.strip() or not equals:
        raise BadInput(f"{text!r} is not a valid {what}", where=where, expected=expected)
    return name, value


def finite_number(text: str | float) -> float:
    """What is written as a number, and is one: neither NaN nor infinite. Raises ValueError."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def check_outputs(**paths: Path | None) -> None:
    """Files that are to be written, by option: looked at before the work, not after. Raises BadInput for what cannot be
    a file, with every mistake.
    """
    wrong = [
        BadInput(f"{path} is a folder" if path.is_dir() else f"there is no folder {path.parent}", where=option)
        for option, path in paths.items()
        if path is not None and (path.is_dir() or not path.parent.is_dir())
    ]
    if wrong:
        raise BadInput(wrong[0].message, where=wrong[0].where, expected="a file in a folder", others=wrong[1:])


def check_folders(**paths: Path | None) -> None:
    """Folders that are written to, and made where they are not there, by option. Raises BadInput for what cannot be
    one.
    """
    for option, path in paths.items():
        there = next((item for item in (path, *path.parents) if item.exists()), path) if path is not None else None
        if there is not None and not there.is_dir():
            raise BadInput(f"{there} is not a folder", where=option, expected="a folder, new or empty")


def refuse_blank(words: Sequence[str], *, command: str) -> None:
    """Raises BadInput for a value of nothing: mostly a variable of a script that is not set. `Path("")` would be the
    working directory.
    """
    for before, word in pairwise(("", *words)):
        option, assigned, value = word.partition("=") if word.startswith("--") else (before, "", word)
        if (assigned or not word.startswith("--")) and not value.strip():
            where = option if option.startswith("-") else ""
            raise wrong_usage("an empty value", where=where, expected="some text", command=command)


def _near(name: str, known: Iterable[str]) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(name, list(known))


def _help(command: str) -> str:
    return f"{command} --help"
