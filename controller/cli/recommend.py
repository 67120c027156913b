"""`controller recommend`: what to ship, per device class, and why nothing else."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.failures import GATE
from controller.cli.formats import Format, one_format, print_with_notes
from controller.cli.numbers import MOST_ID
from controller.cli.settings import print_message, settings_of

if TYPE_CHECKING:
    from controller.model.recommendation import RecommendationReport


Jobs = Annotated[
    list[int], typer.Argument(metavar="JOB...", min=1, max=MOST_ID, help="Whose results.", show_default=False)
]
Objective = Annotated[
    str,
    typer.Option(
        metavar="QUANTITY", help="What to be best at: latency, throughput, energy, or a metric. [default: the job's]"
    ),
]
Require = Annotated[
    list[str] | None,
    typer.Option(
        metavar="QUANTITY=LIMIT", help="A bound to keep: p99_ms=33, power=15, accuracy_drop=0.01. Repeatable."
    ),
]
RequireWinner = Annotated[
    bool, typer.Option("--require-winner", help="Exit 3 where a device class has none.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown.")]


def recommend(
    context: typer.Context,
    job: Jobs,
    objective: Objective = "",
    require: Require = None,
    require_winner: RequireWinner = False,
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """Say which variant to ship on each class of boards.

    Of what keeps every constraint with its whole interval, the best by the objective; what cannot be told from it is a
    tie. Only VALID rows count, and an unknown number keeps no constraint. A DLA is recommended only where the operators
    are compatible and something improves.
    """
    from controller.api.recommend import required

    chosen = one_format(json=as_json, csv=False, markdown=as_markdown)
    constraints = required(require)
    with settings_of(context).connect() as client:
        found = client.recommend(job, objective=objective, constraints=constraints)
    _print(found, chosen)
    without = [item.device_class for item in found.classes if not item.winners]
    if require_winner and (without or not found.classes):
        print_message(f"--require-winner: none on {', '.join(without) or 'any board'}")
        raise typer.Exit(GATE)


def _print(report: "RecommendationReport", chosen: Format) -> None:
    from controller.report.text.recommend import goals_line, heading, recommend_table, why

    if chosen is Format.JSON:
        from controller.cli.formats import print_json
        from controller.record.recommendation import recommended_record

        print_json({"recommended": recommended_record(report)}, out=sys.stdout)
        return
    print(goals_line(report.goals))
    for found in report.classes:
        print(f"\n{heading(found)}")
        print_with_notes(recommend_table(found, report.goals), why(found), markdown=chosen is Format.MARKDOWN)
    if not report.classes:
        print("no results")
