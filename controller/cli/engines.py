"""`controller engines ...`: what was built, from what, and what the builder told of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.formats import print_json_or_tables
from controller.cli.settings import print_message, settings_of

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
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, wanted ones first, then newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List engines: those that are still wanted, then the newest."""
    with settings_of(context).connect() as client:
        found = client.engines(limit)
    from controller.record.engines import engine_summary_record
    from controller.report.text.engines import engines_table

    document = {"engines": [engine_summary_record(item) for item in found]}
    print_json_or_tables(document, engines_table(found), as_json=as_json)


@app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="KEY|VARIANT", help="Its key, 6 first digits or more, or a variant.")],
    job: Annotated[int | None, typer.Option(min=1, help="The job whose variant is meant.", show_default=False)] = None,
    layers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Put the engine's layers there, JSON.", show_default=False)
    ] = None,
    profile: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Put the time of each layer there, JSON.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show an engine: what it is made from, what its build told, where its layers run, and its files.

    The layers are what the runtime's inspector says; their times are from a run of its own, after the measurement.
    """
    with settings_of(context).connect() as client:
        engine = client.engine(name, job_id=job or 0)
        for role, path in (("layers", layers), ("layer-profile", profile)):
            if path is not None:
                _download(client, engine, role, path)
    _print(engine, as_json=as_json)


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


def _print(engine: "EngineView", *, as_json: bool) -> None:
    from controller.record.engines import engine_record
    from controller.report.text.engines import engine_table, fallback_table, warnings

    dla = engine.built.report.dla if engine.built is not None else None
    tables = [engine_table(engine), *([fallback_table(dla)] if dla is not None else [])]
    print_json_or_tables({"engine": engine_record(engine)}, *tables, warnings(engine), as_json=as_json)
