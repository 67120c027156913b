"""`controller export`: a look at a model before any job, and single inferences for other tools."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.inferences import FORMATS, MLFLOW
from controller.cli.numbers import MOST_ID
from controller.cli.settings import print_message, settings_of
from jetfleet.errors import BadInput
from jetfleet.plural import counted
from jetfleet.usage import check_outputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.intake.model_report import ModelReport, Port


def export(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="JOB.yaml|ID", help="The job file whose model is meant, or a job.")],
    check: Annotated[bool, typer.Option("--check", help="Only check; keep nothing but the cache.")] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The folder for ONNX files, or the file.", show_default=False)
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help=f"Of a job: {', '.join(FORMATS)}."),
    ] = None,
    tracking_uri: Annotated[
        str, typer.Option(metavar="URI", help="Of an MLflow server or database, in the place of --output.")
    ] = "",
    measurement: Annotated[
        int | None, typer.Option(metavar="ID", min=1, max=MOST_ID, help="Only this one.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check a model before any job, or write a job's inferences for other tools.

    `export JOB.yaml` exports or loads a job's model and holds its outputs against PyTorch's (an ONNX file's against the
    unoptimised graph's) at two batch sizes. It needs no controller and uploads nothing. Exit code 2 if the model cannot
    be used, with the reason and its place.

    `export ID --format FORMAT --output FILE` writes each inference of a job: trtexec-times as `trtexec --exportTimes`,
    chrome-trace for ui.perfetto.dev with phases, stages and sensors, npz and parquet as tables.

    `export ID --format mlflow` makes a run of MLflow of each measurement, in folder `--output` or at `--tracking-uri`.
    """
    if tracking_uri and format_ != MLFLOW:
        raise BadInput("it is for MLflow alone", where="--tracking-uri", expected=f"--format {MLFLOW}")
    if format_ is None:
        _export_model(context, Path(what), check=check, output=output, as_json=as_json)
    else:
        _export_job(context, what, format_, output=output, tracking_uri=tracking_uri, measurement=measurement)


def _export_job(
    context: typer.Context,
    what: str,
    format_: str,
    *,
    output: Path | None,
    tracking_uri: str,
    measurement: int | None,
) -> None:
    from controller.cli.inferences import export_inferences, export_runs
    from controller.model.view import ResultQuery

    _check_job(what, format_, output=output, tracking_uri=tracking_uri)
    with settings_of(context).connect() as client:
        client.job(int(what))  # one that does not exist is a mistake, not nothing to export
        rows = client.results(ResultQuery(job_ids=(int(what),)))
        chosen = [row for row in rows if measurement in (None, row.measurement_id)]
        if format_ == MLFLOW:
            written = export_runs(chosen, output, tracking_uri)
        elif output is not None:
            written = export_inferences(client, chosen, output, format_=format_)
    print_message(f"{format_} of {counted(written, 'measurement')}: {output or tracking_uri}")


def _check_job(what: str, format_: str, *, output: Path | None, tracking_uri: str) -> None:
    if format_ not in FORMATS:
        raise BadInput(f"{format_!r} is not a format", where="--format", expected=", ".join(FORMATS))
    if not what.isdecimal() or not 0 < int(what) <= MOST_ID:
        raise BadInput(f"{what!r} is not the number of a job", where="ID", expected="as `controller jobs` prints it")
    if output is None and not tracking_uri:
        raise BadInput("no file is named", where="--output", expected="--output FILE")
    if output is not None and format_ != MLFLOW:
        check_outputs(**{"--output": output})


def _export_model(context: typer.Context, job: Path, *, check: bool, output: Path | None, as_json: bool) -> None:
    from controller.intake.inspect_model import check as look

    if not check and output is None:
        raise BadInput("neither --check nor --output is given", expected="--check, or --output FOLDER")
    checked = look(job, state_dir=settings_of(context).state_dir, progress=print_message, output=output)
    if as_json:
        from controller.cli.formats import print_json

        print_json({"export": _record(checked)}, out=sys.stdout)
    else:
        _print(checked)


def _record(checked: "ModelReport") -> dict[str, object]:
    from dataclasses import asdict

    return asdict(checked)


def _print(checked: "ModelReport") -> None:
    from controller.report.text.words import one_line

    _print_ports("input", checked.inputs)
    _print_ports("output", checked.outputs)
    print(f"opset   {checked.opset}, {checked.size_bytes / 1e6:.1f} MB")
    if checked.exporter:
        print(f"export  by {checked.exporter}{', from the cache' if checked.cached else ''}")
    for item in checked.agreements:
        error = f"{item.max_abs_error:.2g} in {one_line(item.output)}"
        print(f"batch {item.batch}: largest difference from {checked.reference}: {error}")
    for file in checked.files:
        print(f"file    {file}")


def _print_ports(kind: str, ports: "Sequence[Port]") -> None:
    from controller.report.text.words import one_line

    for port in ports:
        dims = ", ".join("?" if dim is None else str(dim) for dim in port.dims)
        print(f"{kind:7} {one_line(port.name)} {port.dtype} [{one_line(dims)}]")
