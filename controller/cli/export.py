"""`controller export`: a look at a model before any job."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.settings import print_message, settings_of
from jetfleet.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.intake.model_report import ModelReport, Port


def export(
    context: typer.Context,
    job: Annotated[Path, typer.Argument(metavar="JOB.yaml", help="The job whose model is meant.")],
    check: Annotated[bool, typer.Option("--check", help="Only check; keep nothing but the cache.")] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Check, and put the ONNX files there.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Export or load a job's model and check it.

    Holds its outputs against PyTorch's (an ONNX file's against the unoptimised graph's) at two batch sizes.

    Needs no controller and uploads nothing. Exit code 2 if the model cannot be used, with the reason and its place.
    """
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
