"""What a benchmark program says: figures, each with its bar where it has one, as JSON lines on stdout."""

import argparse
import asyncio
import inspect
import json
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Figure:
    """One measured value. `at_most` or `at_least` make it a bar; without either it is there to be read beside one.

    `value` is None for what could not be measured; then `note` says why.
    """

    what: str
    value: float | None
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def limit(self) -> str:
        if self.at_most is not None and self.at_most == self.at_least:
            return f"= {self.at_most:g}"
        if self.at_most is not None:
            return f"<= {self.at_most:g}"
        return f">= {self.at_least:g}" if self.at_least is not None else ""

    @property
    def met(self) -> bool | None:
        """None where there is no bar, or no value."""
        if not self.limit or self.value is None:
            return None
        low = self.at_least is None or self.value >= self.at_least
        return low and (self.at_most is None or self.value <= self.at_most)


Program: TypeAlias = Callable[[bool], "Iterable[Figure] | Awaitable[Iterable[Figure]]"]


def main(bar: str, program: Program) -> None:
    """Runs a program and prints each figure when it is there. `--tiny` makes it small enough for a smoke test; a missed
    bar is no error.

    Raises what the program raises.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{bar}")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes: is the program alive? The values mean nothing")
    made = program(parser.parse_args().tiny)
    figures = asyncio.run(_awaited(made)) if inspect.isawaitable(made) else made
    emit(bar, figures)


def emit(bar: str, figures: Iterable[Figure]) -> None:
    """Prints each figure when it is there."""
    for figure in figures:
        sys.stdout.write(json.dumps({"bar": bar, **asdict(figure), "met": figure.met}) + "\n")
        sys.stdout.flush()


async def _awaited(made: "Awaitable[Iterable[Figure]]") -> "Iterable[Figure]":
    return await made


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; `share` is 0 to 1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]
