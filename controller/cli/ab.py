"""`--ab` of `controller submit`: what it takes."""

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.compare import ANSWERS, answers
from jetfleet.plural import counted

FailOn = Annotated[
    str | None,
    typer.Option(
        metavar="ANSWERS",
        help=f"With --ab: wait, and exit 3 on any of these: {ANSWERS}.",
        show_default=False,
    ),
]


def check_pair(ab: tuple[str, str] | None, jobs: list[Path] | None, fail_on: str | None) -> frozenset[str] | None:
    """The answers that are a failure; None without --ab. Raises BadParameter."""
    if ab is None:
        if fail_on is not None:
            raise typer.BadParameter("it takes a comparison: --ab BASE CANDIDATE", param_hint="--fail-on")
        return None
    if len(jobs or ()) > 1:
        message = "two job files, or two variants of one JOB.yaml"
        raise typer.BadParameter(
            f"{counted(len(jobs or ()), 'job file')} beside the pair: it is {message}", param_hint="--ab"
        )
    return frozenset() if fail_on is None else answers(fail_on)
