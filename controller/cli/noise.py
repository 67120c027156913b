"""`controller noise`: how much a device's numbers move when nothing is changed."""

from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.devices import find_device
from controller.cli.formats import print_json_or_tables
from controller.cli.settings import print_message, settings_of

if TYPE_CHECKING:
    from controller.api.client import Client

Device = Annotated[str, typer.Argument(metavar="DEVICE", help="Its name, or its id.")]
JobFile = Annotated[
    Path | None,
    typer.Option("--job", metavar="JOB.yaml", help="Repeat this job. [default: a small network]", show_default=False),
]
Benches = Annotated[
    int, typer.Option(min=0, max=100, metavar="N", help="How often; 0: only show what earlier repeats have shown.")
]
Metric = Annotated[str, typer.Option(metavar="NAME", help="Of which number, see docs/metrics.md.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def noise(
    context: typer.Context,
    device: Device,
    job: JobFile = None,
    benches: Benches = 7,
    metric: Metric = "p50_ms",
    as_json: AsJson = False,
) -> None:
    """Measure a device's noise.

    Runs the same job again and again on it, and shows how far equal things differ: rounds of one process, fresh
    processes, benches, builds. `compare` learns its noise floor from the same rows.
    """
    with settings_of(context).connect() as client:
        found = find_device(client.devices(), device)
        from controller.analysis.effects import comparable_metric
        from controller.api.noise import known_noise, noise_job

        metric = comparable_metric(metric)
        repeats: list[int] = []
        if benches:
            with ExitStack() as stack:
                path = stack.enter_context(nullcontext(job) if job else noise_job(found))
                repeats = _repeat(client, path, benches)
        measured = known_noise(client, found, metric=metric, repeats=repeats)
    from controller.record.noise import noise_record
    from controller.report.text.noise import noise_notes, noise_table

    print_json_or_tables(
        {"noise": noise_record(measured)}, noise_table(measured), noise_notes(measured), as_json=as_json
    )


def _repeat(client: "Client", path: Path, benches: int) -> list[int]:
    """The jobs, one after another: what drifts between benches is what is looked for. Ends with 1 where one does not
    succeed.
    """
    from controller.model.task import JobState

    jobs = []
    for number in range(1, benches + 1):
        ended = client.submit_file(path, labels={"noise": "repeat"}).wait()
        print_message(f"bench {number} of {benches}: job {ended.id}, {ended.state.value}")
        if ended.state is not JobState.SUCCEEDED:
            print_message(f"see: controller job show {ended.id}")
            raise typer.Exit(1)
        jobs.append(ended.id)
    return jobs
