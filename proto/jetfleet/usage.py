"""Mistakes in a command line, told in one form by both commands, whatever parses it."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from jetfleet.errors import BadInput

_MOST_VERBS = 30


def unknown_option(name: str, known: Iterable[str], *, command: str) -> BadInput:
    near = _near(name, known)
    return BadInput(f"{name!r} is not a valid option of `{command}`", expected=near, hint=_help(command))


def unknown_verb(name: str, known: Iterable[str], *, command: str) -> BadInput:
    verbs = list(known)
    near = _near(name, verbs) or f"one of: {', '.join(verbs[:_MOST_VERBS])}"
    return BadInput(f"{name!r} is not a valid verb of `{command}`", expected=near, hint=_help(command))


def missing(name: str, *, usage: str, command: str) -> BadInput:
    """`usage` is the verb's own line of it."""
    return BadInput(f"{name} is missing", expected=usage, hint=_help(command))


def wrong_usage(message: str, *, where: str = "", expected: str = "", command: str) -> BadInput:
    """Anything else that is wrong with an option or an argument."""
    said = message.strip().removesuffix(".")
    return BadInput(said[:1].lower() + said[1:], where=where, expected=expected, hint=_help(command))


def refuse_blank(words: Sequence[str], *, command: str) -> None:
    """Raises BadInput for a value of nothing: mostly a variable of a script that is not set. `Path("")` would be the
    working directory.
    """
    for before, word in pairwise(("", *words)):
        option, assigned, value = word.partition("=") if word.startswith("--") else (before, "", word)
        if (assigned or not word.startswith("--")) and not value.strip():
            where = option if option.startswith("-") else ""
            raise wrong_usage("an empty value", where=where, expected="some text", command=command)


def _near(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    return " or ".join(get_close_matches(name, list(known)))


def _help(command: str) -> str:
    return f"{command} --help"
