"""`controller audit ...`: who did what, and whether the log of it is whole."""

import dataclasses
from typing import Annotated

import typer

from controller.cli.formats import print_json_or_tables
from controller.cli.settings import print_message, settings_of
from jetfleet.plural import counted

app = typer.Typer(no_args_is_help=True, help="Show who did what, and verify that nothing of it was changed.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list")
def list_entries(
    context: typer.Context,
    limit: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="How many, newest first.", show_default="all")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List who did what, newest first."""
    with settings_of(context).connect() as client:
        found = client.access().audit(limit)
    from controller.record.access import audit_record
    from controller.report.text.access import audit_table

    print_json_or_tables({"audit": [audit_record(entry) for entry in found]}, audit_table(found), as_json=as_json)


@app.command()
def verify(
    context: typer.Context,
    head: Annotated[
        str, typer.Option(metavar="NUMBER:SHA256", help="An earlier head: the log must still hold it.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Verify the log in the state folder: its chain and its seals. Beside a running controller, or without one.

    Prints its head: kept elsewhere, it shows later that nothing up to it was changed or lost. Exit code 1: it is not
    whole.
    """
    from controller.maintenance.audit import parse_head
    from controller.maintenance.audit import verify as check

    report = check(settings_of(context).state_dir, noted=parse_head(head) if head else None)
    if as_json:
        document = {**dataclasses.asdict(report), "is_intact": report.is_intact}
        print_json_or_tables({"audit_log": document}, as_json=True)
    elif report.is_intact:
        print(report.head)
        print_message(f"{counted(report.number, 'entry')}, {counted(report.seals, 'seal')}: whole")
    else:
        print_message(report.fault)
    raise typer.Exit(0 if report.is_intact else 1)
