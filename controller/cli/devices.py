"""`controller devices ...`: the fleet, and all that is known about one board."""

from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.formats import print_json_or_tables
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
    from controller.record.devices import device_record
    from controller.report.text.devices import devices_table

    document = {"devices": [device_record(device) for device in found]}
    print_json_or_tables(document, devices_table(found), as_json=as_json)


@app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, or its id.")],
    as_json: AsJson = False,
) -> None:
    """Show all that is known about a device; what it does not say reads unknown."""
    with settings_of(context).connect() as client:
        device = _find_device(client.devices(), name)
    from controller.record.devices import device_record
    from controller.report.text.devices import device_table

    print_json_or_tables({"device": device_record(device)}, device_table(device), as_json=as_json)


def _find_device(devices: list["DeviceView"], name: str) -> "DeviceView":
    found = [device for device in devices if name in (device.id, device.name)]
    if len(found) == 1:
        return found[0]
    from jetfleet.errors import BadInput, NotFound

    if found:
        raise BadInput(f"{len(found)} devices are called {name}", expected="an id", hint=", ".join(d.id for d in found))
    known = ", ".join(sorted(device.name for device in devices)) or "none yet"
    raise NotFound(f"no device is called {name}", expected=f"one of: {known}")
