"""`controller devices ...`: the fleet, and all that is known about one board."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.settings import settings_of

if TYPE_CHECKING:
    from controller.model.view import DeviceView

app = typer.Typer(invoke_without_command=True, help="List the fleet, or show one device.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.callback()
def devices(context: typer.Context, as_json: AsJson = False) -> None:
    """List the fleet, or show one device."""
    if context.invoked_subcommand is None:
        list_devices(context, as_json=as_json)


@app.command("list")
def list_devices(context: typer.Context, as_json: AsJson = False) -> None:
    """List every device that ever registered."""
    with settings_of(context).connect() as client:
        found = client.devices()
    if as_json:
        from controller.record.records import device_record, print_json

        print_json({"devices": [device_record(device) for device in found]}, out=sys.stdout)
    else:
        from controller.report.text.devices import devices_table
        from controller.report.text.table import print_table

        print_table(devices_table(found), out=sys.stdout)


@app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, or its id.")],
    as_json: AsJson = False,
) -> None:
    """Show all that is known about a device; what it does not say reads unknown."""
    with settings_of(context).connect() as client:
        device = _named(client.devices(), name)
    if as_json:
        from controller.record.records import device_record, print_json

        print_json({"device": device_record(device)}, out=sys.stdout)
    else:
        from controller.report.text.devices import device_table
        from controller.report.text.table import print_table

        print_table(device_table(device), out=sys.stdout)


def _named(devices: list["DeviceView"], name: str) -> "DeviceView":
    found = [device for device in devices if name in (device.id, device.name)]
    if len(found) == 1:
        return found[0]
    from jetfleet.errors import BadInput, NotFound

    if found:
        raise BadInput(f"{len(found)} devices are called {name}", expected="an id", hint=", ".join(d.id for d in found))
    known = ", ".join(sorted(device.name for device in devices)) or "none yet"
    raise NotFound(f"no device is called {name}", expected=f"one of: {known}")
