"""`controller history`: a metric of a variant over the jobs that measured it, and where it changed."""

import sys
from typing import Annotated

import typer

from controller.cli.formats import print_json, print_with_notes
from controller.cli.settings import settings_of

Variant = Annotated[str, typer.Argument(metavar="VARIANT", help="Its key: tensorrt-fp16-b1-gpu.", show_default=False)]
Device = Annotated[str, typer.Option(metavar="NAME", help="Only on this one. [default: every device]")]
Metric = Annotated[str, typer.Option(metavar="NAME", help="Of which number, see docs/metrics.md.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def history(
    context: typer.Context, variant: Variant, device: Device = "", metric: Metric = "p50_ms", as_json: AsJson = False
) -> None:
    """Show a metric over all jobs that measured a variant, with their commits and the places where it changed.

    A change is shown where chance is excluded among all places (1 %), with the noise between benches. An alarm says
    where twenty comparisons in a row showed no improvement at all, not even by noise.
    """
    from controller.api.history import variant_history
    from controller.record.history import history_record
    from controller.report.text.history import history_heading, history_notes, history_table

    with settings_of(context).connect() as client:
        found = variant_history(client.results, variant, device=device, metric=metric)
    if as_json:
        print_json({"histories": [history_record(item) for item in found]}, out=sys.stdout)
        return
    for index, item in enumerate(found):
        print(f"{chr(10) if index else ''}{history_heading(item)}")
        print_with_notes(history_table(item), history_notes(item), markdown=False)
