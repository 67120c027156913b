"""The command line before it is parsed: options that may stand anywhere, and the one whose value is optional."""

from collections.abc import Sequence

_WITH_VALUE = ("--state", "--address")
_FLAGS = ("-v", "--verbose")


def reorder_options(arguments: Sequence[str]) -> list[str]:
    """Moves the global options to the front, and spells `--local` as `--local=1`. What follows `--` stays."""
    front: list[str] = []
    rest: list[str] = []
    left = iter(arguments)
    for argument in left:
        if argument == "--":
            rest += [argument, *left]
        elif argument in _WITH_VALUE:
            front += [argument, *([value] if (value := next(left, None)) is not None else [])]
        elif argument in _FLAGS or argument.startswith(tuple(f"{name}=" for name in _WITH_VALUE)):
            front.append(argument)
        else:
            rest.append("--local=1" if argument == "--local" else argument)
    return front + rest
