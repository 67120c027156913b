"""What numbers on a command line may be: nothing that a clock, a database or this machine's memory cannot take."""

from typing import Any

import click

from jetfleet.usage import finite_number

MOST_ID = 2**63 - 1  # of a database row
LONGEST_S = 31_536_000.0  # a year; a clock's own limit is not much later on some machines
MOST_ROWS = 100_000_000


class FiniteRange(click.FloatRange):
    """The type of numbers with a point: NaN is within every range of click's own, and infinity within open ones."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            finite_number(value)
        except ValueError:
            self.fail(f"{value} is not a finite number", param, ctx)
        return super().convert(value, param, ctx)
