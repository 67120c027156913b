"""`controller engines ...`: what was built, from what, and what the builder told of it."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.formats import print_json_or_tables
from controller.cli.numbers import MOST_ID
from controller.cli.settings import print_message, settings_of
from jetfleet.usage import check_outputs

if TYPE_CHECKING:
    from controller.api.client import Client
    from controller.model.engine import EngineView

app = typer.Typer(invoke_without_command=True, help="List engines, or show one with its build report.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.callback()
def engines(context: typer.Context, as_json: AsJson = False) -> None:
    """List engines, or show one with its build report."""
    if context.invoked_subcommand is None:
        list_engines(context, limit=20, as_json=as_json)


@app.command("list")
def list_engines(
    context: typer.Context,
    limit: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="How many, wanted ones first, then newest first.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """List engines: those that are still wanted, then the newest."""
    with settings_of(context).connect() as client:
        found = client.engines(limit)
    from controller.model.view import unreadable_lines
    from controller.record.engines import engine_summary_record
    from controller.report.text.engines import engines_table

    document = {"engines": [engine_summary_record(item) for item in found], "unreadable": found.unreadable}
    print_json_or_tables(document, engines_table(found), unreadable_lines(found.unreadable), as_json=as_json)


@app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="KEY|VARIANT", help="Its key, 6 first digits or more, or a variant.")],
    job: Annotated[
        int | None, typer.Option(min=1, max=MOST_ID, help="The job whose variant is meant.", show_default=False)
    ] = None,
    layers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Put the engine's layers there, JSON.", show_default=False)
    ] = None,
    profile: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Put the time of each layer there, JSON.", show_default=False)
    ] = None,
    top: Annotated[
        int, typer.Option(min=0, max=100_000, help="Show the time of so many layers, the slowest first.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Show an engine: what it is made from, what its build told, where its layers run, and its files.

    The layers are what the runtime's inspector says; their times are from a run of its own, after the measurement.
    """
    check_outputs(**{"--layers": layers, "--profile": profile})
    with settings_of(context).connect() as client:
        engine = client.engine(name, job_id=job or 0)
        for role, path in (("layers", layers), ("layer-profile", profile)):
            if path is not None:
                _download(client, engine, role, path)
        slowest = _slowest(client, engine, top) if top else []
    _print(engine, slowest, as_json=as_json)


@app.command()
def download(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="KEY|VARIANT", help="Its key, 6 first digits or more, or a variant.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to.", show_default=False),
    ] = None,
    job: Annotated[
        int | None, typer.Option(min=1, max=MOST_ID, help="The job whose variant is meant.", show_default=False)
    ] = None,
) -> None:
    """Download an engine, as its device built it; it is verified, and a download that broke off goes on."""
    from jetfleet.errors import NotFound

    check_outputs(**{"--output": output})
    with settings_of(context).connect() as client:
        engine = client.engine(name, job_id=job or 0)
        if engine.built is None:
            raise NotFound(f"engine {engine.key[:12]} is not built", hint="`controller engines show` says more")
        path = output or Path(f"{engine.key[:12]}-{Path(engine.built.engine.name).name}")
        client.download(engine.built.engine.sha256, path)
    print_message(f"engine {engine.key[:12]}: {path}")


def _slowest(client: "Client", engine: "EngineView", count: int) -> list[tuple[str, float, float]]:
    """Name, milliseconds and share of the slowest layers. Raises NotFound where none were timed."""
    with tempfile.TemporaryDirectory(prefix="jetfleet-") as folder:
        path = Path(folder) / "profile.json"
        _download(client, engine, "layer-profile", path)
        layers = json.loads(path.read_text(encoding="utf-8"))["layers"]
    ranked = sorted(layers, key=lambda layer: -float(layer["ms"]))[:count]
    return [(str(layer["name"]), float(layer["ms"]), float(layer["share"])) for layer in ranked]


def _download(client: "Client", engine: "EngineView", role: str, path: Path) -> None:
    """Raises NotFound where nobody left such a file."""
    from jetfleet.errors import NotFound

    found = next((item for item in engine.files if item.role.value == role), None)
    if found is None:
        raise NotFound(
            f"engine {engine.key[:12]} has no {role} file",
            expected=f"one of: {', '.join(sorted({item.role.value for item in engine.files})) or 'none yet'}",
            hint="tensorrt leaves one when the engine is measured",
        )
    client.download(found.sha256, path)
    print_message(f"{role}: {path}")


def _print(engine: "EngineView", slowest: list[tuple[str, float, float]], *, as_json: bool) -> None:
    from controller.record.engines import engine_record
    from controller.report.text.engines import engine_table, fallback_table, layers_table, warnings

    dla = engine.built.report.dla if engine.built is not None else None
    tables = [engine_table(engine), *([fallback_table(dla)] if dla is not None else [])]
    tables += [layers_table(slowest)] if slowest else []
    print_json_or_tables({"engine": engine_record(engine)}, *tables, warnings(engine), as_json=as_json)
