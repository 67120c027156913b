"""The command line before it is parsed: options that may stand anywhere, and the one whose value is optional."""

from collections.abc import Sequence
from itertools import islice, takewhile

_WITH_VALUE = ("--state", "--address", "--columns")
_ASSIGNED = tuple(f"{name}=" for name in _WITH_VALUE)
_FLAGS = ("-v", "--verbose", "--wide")
_LOCAL = {"--local": "--local=1"}


def reorder_options(arguments: Sequence[str]) -> list[str]:
    """Moves the global options to the front, and spells `--local` as `--local=1`. What follows `--` stays."""
    front: list[str] = []
    rest: list[str] = []
    left = iter(arguments)
    for argument in left:
        if argument == "--":
            rest += [argument, *left]
        elif argument in _WITH_VALUE:
            front += [argument, *islice(left, 1)]
        elif _is_global(argument):
            front.append(argument)
        else:
            rest.append(_LOCAL.get(argument, argument))
    return front + rest


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether errors are wanted as JSON: known before anything is parsed, because parsing may fail."""
    options = takewhile(lambda argument: argument != "--", arguments)
    return "--json" in options


def _is_global(argument: str) -> bool:
    return argument in _FLAGS or argument.startswith(_ASSIGNED)
