"""`controller job bisect`: the first layer of a lowered graph that answers something else than FP32."""

import sys
from typing import Annotated

import typer

from controller.cli.numbers import MOST_ID
from controller.cli.settings import print_message, settings_of


def bisect(
    context: typer.Context,
    job_id: Annotated[int, typer.Argument(metavar="ID", min=1, max=MOST_ID, help="As `submit` and `jobs` print it.")],
    variant: Annotated[str, typer.Argument(help="As `results` shows it. [default: every fp16 and int8 one]")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Name the first layer whose output leaves FP32, in the graphs that a job's engines are built from.

    Both graphs run on this workstation with the reference inputs; the tensors that lead to an output that fails are
    held against FP32's by the rules of `check:`.
    """
    from controller.api.bisection import bisect_job

    with settings_of(context).connect() as client:
        found = bisect_job(client, job_id, variant, progress=print_message)
    if as_json:
        from controller.cli.formats import print_json
        from controller.record.bisection import bisection_records

        print_json({"bisections": bisection_records(found)}, out=sys.stdout)
        return
    from controller.report.text.bisection import bisection_lines

    for line in bisection_lines(found):
        print(line)
