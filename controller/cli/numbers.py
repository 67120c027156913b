"""What numbers on a command line may be: nothing that a clock, a database or this machine's memory cannot take."""

import math

import typer

MOST_ID = 2**63 - 1  # of a database row
LONGEST_S = 31_536_000.0  # a year; a clock's own limit is not much later on some machines
MOST_ROWS = 100_000_000


def finite(value: float | None) -> float | None:
    """As an option's callback: NaN is within every range. Raises BadParameter."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter(f"{value} is not a valid number")
    return value
