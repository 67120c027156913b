"""`controller compare`: which is faster, whether the difference is real, and what may not be compared."""

import sys
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.formats import Format, one_format, print_with_notes
from controller.cli.results import conditions
from controller.cli.settings import settings_of

if TYPE_CHECKING:
    from controller.model.comparison import ComparisonReport


class By(str, Enum):
    """The axes as typer reads them; the model's own enum is imported late, with the rest of it."""

    device = "device"
    variant = "variant"
    job = "job"


def compare(
    context: typer.Context,
    job: Annotated[list[int], typer.Argument(metavar="JOB...", min=1, help="Whose results.", show_default=False)],
    by: Annotated[
        By | None,
        typer.Option(help="What to hold against the baseline. [default: what there are several of]"),
    ] = None,
    baseline: Annotated[
        str,
        typer.Option(metavar="KEY", help="A variant, device or job. [default: the oldest job, the first by name]"),
    ] = "",
    across: Annotated[
        list[str] | None,
        typer.Option(metavar="FACT", help="A fact that may differ: l4t, runtime_version. Repeatable."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="FACT=VALUE", help="Only rows with this fact: sku=orin-nano-8gb. Repeatable."),
    ] = None,
    variant: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Only this variant. Repeatable.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, one line per comparison, no spreads.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
) -> None:
    """Compare jobs, variants or devices.

    Each p50 over the baseline's, with its interval: FASTER, SLOWER, SAME or CANNOT_TELL.

    INCOMPARABLE where the two were taken under unlike circumstances, NOT_VALID where one may not be trusted.
    """
    chosen = one_format(json=as_json, csv=as_csv, markdown=as_markdown)
    with settings_of(context).connect() as client:
        compared = client.compare(
            job,
            by=by.value if by else None,
            baseline=baseline,
            across=across or (),
            conditions=conditions(where or ()),
            variant_keys=tuple(variant or ()),
        )
    _print(compared, chosen)


def _print(compared: "ComparisonReport", chosen: Format) -> None:
    from controller.report.text.compare import compare_table, csv_table, spread_table, why

    if chosen is Format.JSON:
        from controller.cli.formats import print_json
        from controller.record.comparison import compared_record

        print_json({"compared": compared_record(compared)}, out=sys.stdout)
    elif chosen is Format.CSV:
        from controller.report.text.table import print_csv

        print_csv(csv_table(compared), out=sys.stdout)
    else:
        markdown = chosen is Format.MARKDOWN
        print_with_notes(compare_table(compared), why(compared), markdown=markdown)
        if compared.spreads:
            print()
            print_with_notes(spread_table(compared), (), markdown=markdown)
