"""`controller report`: jobs as one page that stands alone, its Markdown twin, and an archive of the evidence."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.numbers import MOST_ID
from controller.cli.settings import print_message, settings_of
from jetfleet.errors import BadInput
from jetfleet.plural import counted
from jetfleet.usage import check_outputs

if TYPE_CHECKING:
    from controller.model.job import Artifact
    from controller.model.report import ReportData

VERIFY = "verify"

Jobs = Annotated[
    list[str], typer.Argument(metavar="JOB... | verify PACK", help="Whose results; or a pack.", show_default=False)
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="The page: .html, or .md for Markdown.")
]
Markdown = Annotated[Path | None, typer.Option(metavar="FILE.md", help="Its Markdown twin, too.", show_default=False)]
Pack = Annotated[
    Path | None,
    typer.Option(metavar="FILE.zip", help="An archive of page, samples, facts and jobs, each by its digest."),
]
Objective = Annotated[str, typer.Option(metavar="QUANTITY", help="As in `recommend`. [default: the job's]")]
Require = Annotated[list[str] | None, typer.Option(metavar="QUANTITY=LIMIT", help="As in `recommend`. Repeatable.")]
Title = Annotated[str, typer.Option(metavar="TEXT", help="[default: the names of the jobs]")]


def report(
    context: typer.Context,
    job: Jobs,
    output: Output = None,
    markdown: Markdown = None,
    pack: Pack = None,
    objective: Objective = "",
    require: Require = None,
    title: Title = "",
) -> None:
    """Write a report: one HTML file, offline, without a script; comparison first, and every number with its evidence.

    `controller report verify PACK` holds an evidence pack against its digests and its samples.
    """
    if job[0] == VERIFY:
        _verify(job[1:])
        return
    if output is None and markdown is None and pack is None:
        raise BadInput("where does it go?", expected="-o report.html, --markdown report.md, --pack evidence.zip")
    check_outputs(**{"--output": output, "--markdown": markdown, "--pack": pack})
    from controller.api.recommend import required
    from controller.api.report import gather_report

    constraints = required(require)
    samples = _Samples(wanted=pack is not None)
    with settings_of(context).connect() as client:
        data = gather_report(
            client,
            [_number(text) for text in job],
            objective=objective,
            constraints=constraints,
            title=title,
            keep=samples.keep,
        )
    if output is not None:
        _write(output, data, as_markdown=output.suffix == ".md")
    if markdown is not None:
        _write(markdown, data, as_markdown=True)
    if pack is not None:
        _pack(pack, data, samples.found)


class _Samples:
    """What was fetched, by digest; kept only where it is wanted."""

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self.found: dict[str, bytes] = {}

    def keep(self, artifact: "Artifact", content: bytes) -> None:
        if self._wanted:
            self.found[artifact.sha256] = content


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= MOST_ID:
        raise BadInput(f"{text!r} is not a valid job", expected="a number, as `controller jobs` shows them")
    return int(text)


def _write(path: Path, data: "ReportData", *, as_markdown: bool) -> None:
    from controller.report.html.report import report_html
    from controller.report.markdown import report_markdown

    text = report_markdown(data) if as_markdown else report_html(data)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"it cannot be written: {error.strerror}", where=str(path)) from error
    print_message(f"{path}: {len(text.encode()) / 1e3:.0f} kB")


def _pack(path: Path, data: "ReportData", samples: dict[str, bytes]) -> None:
    from controller.record.results import result_record
    from controller.report.html.report import report_html
    from controller.report.markdown import report_markdown
    from controller.report.pack import RESULTS, SAMPLES, write_pack

    records = {"schema_version": 1, "results": [result_record(row) for row in data.rows]}
    jobs = [{"id": job.id, "name": job.name, "state": job.state, "labels": dict(job.labels)} for job in data.jobs]
    files = {
        "report.html": report_html(data).encode(),
        "report.md": report_markdown(data).encode(),
        RESULTS: (json.dumps(records, indent=1, sort_keys=True) + "\n").encode(),
        "jobs.json": (json.dumps({"jobs": jobs}, indent=1, sort_keys=True) + "\n").encode(),
        **{f"{SAMPLES}/{sha256}.npy": content for sha256, content in samples.items()},
    }
    write_pack(path, files)
    print_message(f"{path}: {counted(len(files), 'file')}; verify it: controller report verify {path}")


def _verify(words: list[str]) -> None:
    from controller.record.arrays import read_npy
    from controller.report.pack import verify_pack

    if len(words) != 1:
        raise BadInput("which pack?", expected="controller report verify PACK")
    for line in verify_pack(Path(words[0]), read_npy):
        print(line)
