"""`controller job slow`: why the results of a job take their time, and what to try next."""

import sys
from typing import Annotated

import typer

from controller.cli.numbers import MOST_ID
from controller.cli.settings import settings_of


def slow(
    context: typer.Context,
    job_id: Annotated[int, typer.Argument(metavar="ID", min=1, max=MOST_ID, help="As `submit` and `jobs` print it.")],
    variant: Annotated[str, typer.Argument(help="As `results` shows it. [default: all]")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say why results take their time: copies, launches, arithmetic, memory, one layer, a DLA's fallback, throttling.

    From what is known of them, with the evidence and one next step for each cause.
    """
    from controller.api.slowness import explain_job

    with settings_of(context).connect() as client:
        found = explain_job(client, job_id, variant)
    if as_json:
        from controller.cli.formats import print_json
        from controller.record.slowness import explained_records

        print_json({"explained": explained_records(found)}, out=sys.stdout)
        return
    from controller.report.text.slowness import slowness_lines

    for line in slowness_lines(found):
        print(line)
