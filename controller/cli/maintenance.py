"""`controller backup | restore | fsck`: the state folder as files, beside a running controller or instead of one."""

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.settings import print_message, settings_of
from jetfleet.plural import counted
from jetfleet.usage import check_outputs

if TYPE_CHECKING:
    from controller.maintenance.backup import BackupReport

_AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; a tar archive.")],
    no_blobs: Annotated[
        bool, typer.Option("--no-blobs", help="The database alone: results, but no engines, models, samples or logs.")
    ] = False,
    as_json: _AsJson = False,
) -> None:
    """Back the state folder up, consistently, while the controller runs."""
    check_outputs(FILE=file)
    from controller.maintenance.backup import back_up

    _print_report(back_up(settings_of(context).state_dir, file, with_blobs=not no_blobs), as_json=as_json, key="backup")


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `controller backup` wrote.")],
    as_json: _AsJson = False,
) -> None:
    """Restore a backup into a new state folder: --state FOLDER.

    Every file is held against its digest. A folder with something in it is refused.
    """
    from controller.maintenance.backup import restore as unpack

    _print_report(unpack(file, settings_of(context).state_dir), as_json=as_json, key="restored")


def fsck(
    context: typer.Context,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Put damaged files aside, and forget lost ones; no controller may run."),
    ] = False,
    as_json: _AsJson = False,
) -> None:
    """Check the database, and every file against its digest.

    Exit code 0: nothing is wrong, or all of it was repaired. 1: something is.
    """
    from controller.maintenance.fsck import check

    report = check(settings_of(context).state_dir, repair=repair)
    if as_json:
        from controller.cli.formats import print_json

        print_json({"fsck": {**dataclasses.asdict(report), "is_clean": report.is_clean}}, out=sys.stdout)
    else:
        for fault in report.faults:
            print_message(f"{fault.kind}: {fault.subject}: {fault.detail}{' (repaired)' if fault.repaired else ''}")
        print_message(
            f"{counted(report.blobs, 'file')}, {counted(report.blob_bytes, 'byte')}: "
            f"{counted(len(report.faults), 'fault')}"
        )
    raise typer.Exit(0 if report.is_clean else 1)


def _print_report(report: "BackupReport", *, as_json: bool, key: str) -> None:
    if as_json:
        from controller.cli.formats import print_json

        print_json({key: dataclasses.asdict(report)}, out=sys.stdout)
        return
    print_message(f"{report.file}: {counted(report.size_bytes, 'byte')}, with {counted(report.blobs, 'file')}")
    if report.missing:
        print_message(
            f"{counted(len(report.missing), 'file')} that the database counts on are not in it; see `controller fsck`"
        )
