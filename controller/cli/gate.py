"""`controller gate` and `controller baseline`: stop what regressed, and know what it is held against."""

import os
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.failures import GATE
from controller.cli.numbers import MOST_ID
from controller.cli.settings import print_message, settings_of
from jetfleet.errors import BadInput
from jetfleet.usage import check_outputs

if TYPE_CHECKING:
    from controller.model.baseline import Baseline
    from controller.model.gate import GateReport

DEFAULT_LIMITS = "p50=3%"
_SUMMARY, _ACTIONS = "GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS"


class StageName(str, Enum):
    shadow = "shadow"
    warn = "warn"
    block = "block"


class DoubtName(str, Enum):
    fail = "fail"
    warn = "warn"
    let_through = "pass"


Job = Annotated[int, typer.Argument(min=1, max=MOST_ID, help="What is gated.", show_default=False)]
BaselineOption = Annotated[
    str, typer.Option("--baseline", metavar="JOB|NAME", help="What it is held against.", show_default=False)
]
MaxRegression = Annotated[
    str, typer.Option(metavar="LIMITS", help="The most that may get worse: p50=3%,p99=5%,energy=5%,accuracy=0.5pt.")
]
StageOption = Annotated[StageName, typer.Option("--stage", help="shadow and warn are never red.")]
CannotTell = Annotated[DoubtName, typer.Option("--cannot-tell", help="What becomes of what cannot be told.")]
Stored = Annotated[
    bool, typer.Option("--stored", help="Only the stored numbers; by default both are run in turns on the same boards.")
]
Junit = Annotated[Path | None, typer.Option(metavar="FILE.xml", help="JUnit XML, too.", show_default=False)]
Markdown = Annotated[
    Path | None,
    typer.Option(metavar="FILE.md", help="Markdown of bounded size, too; in GitHub Actions the step's summary has it."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

app = typer.Typer(help="What jobs are held against, by name.", no_args_is_help=True)


def gate(
    context: typer.Context,
    job: Job,
    baseline: BaselineOption = "",
    max_regression: MaxRegression = DEFAULT_LIMITS,
    stage: StageOption = StageName.block,
    cannot_tell: CannotTell = DoubtName.fail,
    stored: Stored = False,
    junit: Junit = None,
    markdown: Markdown = None,
    as_json: AsJson = False,
) -> None:
    """Hold a job against its baseline, and exit 3 where it regressed.

    Every variant on every board that both have: FAILED where the whole interval is beyond the limit, PASSED where it is
    within, else CANNOT_TELL, which is never a silent pass. All cells together have a chance of 1 % of a false alarm.
    """
    if not baseline:
        raise BadInput("what is it held against?", where="--baseline", expected="a job, or a name: baseline list")
    from controller.analysis.gate import read_limits
    from controller.api.gate import gate_job
    from controller.model.gate import OnDoubt, Stage

    limits = read_limits(max_regression)
    check_outputs(**{"--junit": junit, "--markdown": markdown})
    with settings_of(context).connect() as client:
        report = gate_job(
            client,
            job,
            baseline,
            limits,
            stage=Stage(stage.value),
            on_doubt=OnDoubt(cannot_tell.value),
            interleaved=not stored,
            say=print_message,
        )
    _write(report, junit, markdown)
    _print(report, as_json=as_json)
    if report.is_red:
        raise typer.Exit(GATE)


def _write(report: "GateReport", junit: Path | None, markdown: Path | None) -> None:
    from controller.report.junit import gate_junit
    from controller.report.text.gate import gate_markdown

    if junit is not None:
        junit.write_text(gate_junit(report), encoding="utf-8")
    if markdown is not None:
        markdown.write_text(gate_markdown(report), encoding="utf-8")
    summary = os.environ.get(_SUMMARY)
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(gate_markdown(report))


def _print(report: "GateReport", *, as_json: bool) -> None:
    from controller.cli.formats import print_json, print_with_notes
    from controller.record.gate import gate_record
    from controller.report.text.gate import annotations, gate_table, headline, outcome

    if as_json:
        print_json({"gate": gate_record(report)}, out=sys.stdout)
    else:
        print(headline(report))
        print_with_notes(gate_table(report), outcome(report), markdown=False)
    if os.environ.get(_ACTIONS) == "true":
        for line in annotations(report):
            print(line, file=sys.stderr if as_json else sys.stdout)


Name = Annotated[str, typer.Argument(metavar="NAME", help="main, release/2.1, ...", show_default=False)]
For = Annotated[
    str,
    typer.Option(
        "--for",
        metavar="CLASS",
        help="A device class as `recommend` calls it, or a board of it. [default: every class]",
    ),
]


@app.command("set")
def set_baseline(context: typer.Context, name: Name, job: Job, device_class: For = "") -> None:
    """From now on the job is what others are held against under that name."""
    with settings_of(context).connect() as client:
        made = client.set_baseline(name, job, device_class=device_class)
    print_message(f"baseline {made.name} of {made.device_class or 'every class'} is job {made.job_id}")


@app.command("list")
def list_baselines(context: typer.Context, as_json: AsJson = False) -> None:
    """What each name means now."""
    with settings_of(context).connect() as client:
        found = client.baselines()
    newest = list({(item.name, item.device_class): item for item in reversed(found)}.values())
    _print_baselines(sorted(newest, key=lambda item: (item.name, item.device_class)), as_json=as_json)


@app.command("show")
def show_baseline(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Where a baseline was, newest first."""
    with settings_of(context).connect() as client:
        found = client.baselines(name)
    _print_baselines(found, as_json=as_json)


def _print_baselines(found: "list[Baseline]", *, as_json: bool) -> None:
    from controller.cli.formats import print_json_or_tables
    from controller.record.gate import baseline_record
    from controller.report.text.gate import baseline_table

    print_json_or_tables(
        {"baselines": [baseline_record(item) for item in found]}, baseline_table(found), as_json=as_json
    )
