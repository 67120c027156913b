"""`controller upgrade-report`: the same job before and after an upgrade of JetPack or TensorRT."""

import sys
from typing import Annotated

import typer

from controller.cli.formats import Format, one_format, print_json, print_with_notes
from controller.cli.numbers import MOST_ID
from controller.cli.settings import settings_of

Old = Annotated[int, typer.Argument(metavar="OLD", min=1, max=MOST_ID, help="The job before it.", show_default=False)]
New = Annotated[int, typer.Argument(metavar="NEW", min=1, max=MOST_ID, help="The job after it.", show_default=False)]
Metric = Annotated[str, typer.Option(metavar="NAME", help="Of which number, see docs/metrics.md.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown.")]


def upgrade_report(
    context: typer.Context,
    old: Old,
    new: New,
    metric: Metric = "p50_ms",
    as_json: AsJson = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """Say what an upgrade did to each variant on each board: no longer builds, wrong outputs, slower, faster, same.

    Compares across L4T, JetPack, CUDA, the DLA's compiler and the runtime's version, which releases bring along; and
    says which counts of layers changed.
    """
    from controller.api.upgrade import report_upgrade
    from controller.record.upgrade import upgrade_report_record
    from controller.report.text.upgrade import upgrade_heading, upgrade_notes, upgrade_table

    chosen = one_format(json=as_json, csv=False, markdown=as_markdown)
    with settings_of(context).connect() as client:
        found = report_upgrade(client, old, new, metric=metric)
    if chosen is Format.JSON:
        print_json({"upgrade_report": upgrade_report_record(found)}, out=sys.stdout)
        return
    print(upgrade_heading(found))
    if chosen is Format.MARKDOWN:
        print()
    print_with_notes(upgrade_table(found), upgrade_notes(found), markdown=chosen is Format.MARKDOWN)
