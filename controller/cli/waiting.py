"""How long a verb stays with a job, and what it demands of the end: --wait, --timeout and --require-valid."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Annotated

import typer

from controller.cli.numbers import LONGEST_S, FiniteRange

WaitAll = Annotated[bool, typer.Option("--wait", help="Stay until all have ended; exit by the worst end.")]
Wait = Annotated[bool, typer.Option("--wait", help="Stay until it has ended; exit by how it ended.")]
Timeout = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        click_type=FiniteRange(min=0.1, max=LONGEST_S),
        help="Wait so long at most; then 7, and the job goes on.",
        show_default=False,
    ),
]
RequireValid = Annotated[
    bool, typer.Option("--require-valid", help="Wait, and exit 3 unless every measurement is VALID.")
]


@dataclass(frozen=True)
class Stay:
    """`timeout_s` is of all jobs together."""

    timeout_s: float | None = None
    require_valid: bool = False


class WaitedLongEnough(Exception):
    """The time of --timeout is over; the job is not."""


def waiting_for(*, wait: bool, timeout: float | None, require_valid: bool) -> Stay | None:
    """None: the verb does not stay. --timeout and --require-valid say that it does."""
    return Stay(timeout, require_valid) if wait or timeout is not None or require_valid else None


@contextmanager
def time_limit(timeout_s: float | None) -> Iterator[None]:
    """Raises WaitedLongEnough in the main thread when the time is over, wherever it waits; a signal, as Ctrl-C is."""
    if timeout_s is None:
        yield
        return
    before = signal.signal(signal.SIGALRM, _end_waiting)
    signal.setitimer(signal.ITIMER_REAL, timeout_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _end_waiting(number: int, frame: FrameType | None) -> None:
    raise WaitedLongEnough
