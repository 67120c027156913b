"""`controller compare`: which is faster, whether the difference is real, and what may not be compared."""

import sys
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.failures import GATE
from controller.cli.formats import Format, one_format, print_with_notes
from controller.cli.numbers import MOST_ID, FiniteRange
from controller.cli.results import conditions
from controller.cli.settings import print_message, settings_of

if TYPE_CHECKING:
    from controller.model.comparison import ComparisonReport


class By(str, Enum):
    """The axes as typer reads them; the model's own enum is imported late, with the rest of it."""

    device = "device"
    variant = "variant"
    job = "job"


Jobs = Annotated[
    list[int], typer.Argument(metavar="JOB...", min=1, max=MOST_ID, help="Whose results.", show_default=False)
]
ByAxis = Annotated[
    By | None, typer.Option(help="What to hold against the baseline. [default: what there are several of]")
]
Baseline = Annotated[
    str,
    typer.Option(
        metavar="KEY",
        help="A variant, device or job. [default: the oldest job, fp32 of the smallest batch, the first device]",
    ),
]
Across = Annotated[
    list[str] | None, typer.Option(metavar="FACT", help="A fact that may differ: l4t, runtime_version. Repeatable.")
]
Where = Annotated[
    list[str] | None,
    typer.Option(metavar="FACT=VALUE", help="Only rows with this fact: sku=orin-nano-8gb. Repeatable."),
]
OnlyVariant = Annotated[list[str] | None, typer.Option(metavar="KEY", help="Only this variant. Repeatable.")]
Metric = Annotated[
    str, typer.Option(metavar="NAME", help="What answers are about: p99_ms, accuracy, or any other of docs/metrics.md.")
]
Margin = Annotated[
    float | None,
    typer.Option(
        click_type=FiniteRange(min=0.0, max=1.0),
        metavar="SHARE",
        help="SAME is within this: 0.01 is 1 %, or a point. [default: 0.01, or what --ab's job asked for]",
        show_default=False,
    ),
]
FalseAlarms = Annotated[
    float | None,
    typer.Option(
        click_type=FiniteRange(min=1e-6, max=0.5),
        metavar="SHARE",
        help="How likely any of all answers may tell a difference that is none. [default: 0.01, likewise]",
        show_default=False,
    ),
]
# All that there are, here by name: the model is imported when it is needed. A test holds them together.
ANSWERS = "slower,worse,cannot-tell,incomparable,not-valid,same,faster,better"
FailOn = Annotated[
    str | None,
    typer.Option(metavar="ANSWERS", help=f"Exit 3 on any of these: {ANSWERS}."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV, one line per comparison, no spreads.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown.")]


def compare(
    context: typer.Context,
    job: Jobs,
    by: ByAxis = None,
    baseline: Baseline = "",
    across: Across = None,
    where: Where = None,
    variant: OnlyVariant = None,
    metric: Metric = "p50_ms",
    margin: Margin = None,
    false_alarms: FalseAlarms = None,
    fail_on: FailOn = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """Compare jobs, variants or devices.

    Each p50 over the baseline's, with its interval: FASTER, SLOWER, SAME or CANNOT_TELL. Two that `submit --ab` timed
    in turns are compared by their ratios; others pay the device's noise between benches (`controller noise`).

    INCOMPARABLE where the two were taken under unlike circumstances, NOT_VALID where one may not be trusted.
    """
    chosen = one_format(json=as_json, csv=as_csv, markdown=as_markdown)
    gate = frozenset() if fail_on is None else answers(fail_on)
    with settings_of(context).connect() as client:
        compared = client.compare(
            job,
            by=by.value if by else None,
            baseline=baseline,
            across=across or (),
            conditions=conditions(where or ()),
            variant_keys=tuple(variant or ()),
            metric=metric,
            margin=margin,
            false_alarms=false_alarms,
        )
    print_compared(compared, chosen)
    if code := gate_code(compared, gate):
        raise typer.Exit(code)


def gate_code(compared: "ComparisonReport", gate: frozenset[str]) -> int:
    """3 where an answer is one of the gate's, or nothing was compared, which is no pass; else 0."""
    hit: list[str] = sorted({item.answer.value for item in compared.comparisons if item.answer.value in gate})
    if gate and not compared.comparisons:
        hit = ["nothing was compared"]
    if not hit:
        return 0
    print_message(f"--fail-on: {', '.join(hit)}")
    return GATE


def answers(text: str) -> frozenset[str]:
    """`slower,cannot-tell` as the answers' names. Raises BadParameter."""
    from controller.model.comparison import Answer

    names = {item.value.lower().replace("_", "-"): item.value for item in Answer}
    asked = [word.strip().lower() for word in text.split(",") if word.strip()]
    if wrong := [word for word in asked if word not in names]:
        raise typer.BadParameter(f"{wrong[0]!r} is not one of {', '.join(names)}", param_hint="--fail-on")
    if not asked:
        raise typer.BadParameter(f"{text!r} names none of {', '.join(names)}", param_hint="--fail-on")
    return frozenset(names[word] for word in asked)


def print_compared(compared: "ComparisonReport", chosen: Format) -> None:
    from controller.report.text.compare import compare_table, csv_table, spread_table, why

    if chosen is Format.JSON:
        from controller.cli.formats import print_json
        from controller.record.comparison import compared_record

        print_json({"compared": compared_record(compared)}, out=sys.stdout)
    elif chosen is Format.CSV:
        from controller.report.text.table import print_csv

        print_csv(csv_table(compared), out=sys.stdout)
    else:
        from controller.report.text.telling import most_telling

        markdown = chosen is Format.MARKDOWN
        shown, left_out = most_telling(compared)
        print_with_notes(compare_table(shown), (*why(shown), *left_out), markdown=markdown)
        if shown.spreads:
            print()
            print_with_notes(spread_table(shown), (), markdown=markdown)
