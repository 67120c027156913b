"""`controller devices ...`: the fleet, and all that is known about one board."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.formats import print_json_or_tables
from controller.cli.labels import parse_labels
from controller.cli.settings import print_message, settings_of
from jetfleet.plural import are, counted

if TYPE_CHECKING:
    from controller.model.view import DeviceView

app = typer.Typer(invoke_without_command=True, help="List the fleet, show or change one device.")

_DRAIN_POLL_S = 1.0
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.callback()
def devices(context: typer.Context, as_json: AsJson = False) -> None:
    """List the fleet, or show one device."""
    if context.invoked_subcommand is None:
        list_devices(context, as_json=as_json)


@app.command("list")
def list_devices(
    context: typer.Context,
    limit: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="How many, by name.", show_default="all")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List every device that ever registered."""
    with settings_of(context).connect() as client:
        found = client.devices(limit)
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
        device, about = find_device(client.devices(), name), client.hello()
    from controller.record.devices import device_record
    from controller.report.text.devices import device_table

    print_json_or_tables(
        {"device": device_record(device)}, device_table(device, controller_version=about.version), as_json=as_json
    )


@app.command()
def upgrade(context: typer.Context, as_json: AsJson = False) -> None:
    """Say which agents have another version than the controller, and how each is upgraded.

    Nothing is run anywhere: the command is for the board itself.
    """
    with settings_of(context).connect() as client:
        found, wanted = client.devices(), client.hello().version
    from controller.record.devices import upgrade_record
    from controller.report.text.devices import upgrades_table

    upgrades = [record for device in found if (record := upgrade_record(device, wanted=wanted)) is not None]
    print_json_or_tables({"upgrades": upgrades}, upgrades_table(upgrades), as_json=as_json)


Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name, or its id.")]


@app.command()
def rename(
    context: typer.Context,
    name: Name,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its name from now on, whatever its agent asks for.")],
) -> None:
    """Give a device another name."""
    _change(context, name, rename=new)


@app.command()
def label(
    context: typer.Context,
    name: Name,
    labels: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="KEY= takes one away.")],
) -> None:
    """Label a device: facts for selectors, `label.rack`, that go before those of its agent."""
    _change(context, name, label={"labels": parse_labels(labels)})


@app.command()
def cordon(
    context: typer.Context,
    name: Name,
    reason: Annotated[str, typer.Option(help="Why, for whoever looks.", show_default=False)] = "by hand",
) -> None:
    """Give a device no new work; what runs is finished."""
    _change(context, name, cordon=reason)


@app.command()
def uncordon(context: typer.Context, name: Name) -> None:
    """Give a device work again."""
    _change(context, name, uncordon=True)


@app.command()
def drain(
    context: typer.Context,
    name: Name,
    reason: Annotated[str, typer.Option(help="Why, for whoever looks.", show_default=False)] = "drained",
) -> None:
    """Cordon a device and wait until what runs there has ended: then it may be switched off."""
    with settings_of(context).connect() as client:
        device = client.change_device(name, cordon=reason)
        while device.busy_with:
            print_message(f"{device.name} finishes {device.busy_with}")
            time.sleep(_DRAIN_POLL_S)
            device = find_device(client.devices(), device.id)
    print_message(f"{device.name}: idle and cordoned; `controller devices uncordon {device.name}` ends that")


@app.command()
def remove(
    context: typer.Context,
    name: Name,
    force: Annotated[bool, typer.Option("--force", help="Even while it is online or has work.")] = False,
) -> None:
    """Take a device out of the fleet; its results stay. Refused while it is online or has work."""
    with settings_of(context).connect() as client:
        device = client.change_device(name, remove={"force": force})
    print_message(f"{device.name} is removed; an agent that registers again is listed again")


@app.command()
def revoke(context: typer.Context, name: Name) -> None:
    """Make a board's certificates worthless, at once and on open calls; it needs a new invitation to come back."""
    with settings_of(context).connect() as client:
        shown = client.access().revoke_device(name)
    print_message(f"{shown} is revoked; `controller enroll new --name {shown}` lets it in again")


@app.command()
def adopt(
    context: typer.Context,
    name: Name,
    device_id: Annotated[str, typer.Argument(metavar="ID", help="As the refused agent says it.")],
) -> None:
    """Say that a new agent is a board that is known: one that came back with an empty state folder.

    Where the board has the same hardware serial and name, that is found out without being told.
    """
    _change(context, name, adopt=device_id)


def _change(context: typer.Context, name: str, **change: object) -> None:
    from controller.report.text.devices import state

    with settings_of(context).connect() as client:
        device = client.change_device(name, **change)
    print_message(f"{device.name}: {state(device)}")


def find_device(devices: list["DeviceView"], name: str) -> "DeviceView":
    found = [device for device in devices if name in (device.id, device.name)]
    if len(found) == 1:
        return found[0]
    from jetfleet.errors import BadInput, NotFound

    if found:
        raise BadInput(
            f"{counted(len(found), 'device')} {are(len(found))} called {name}",
            expected="an id",
            hint=", ".join(d.id for d in found),
        )
    known = ", ".join(sorted(device.name for device in devices)) or "none yet"
    raise NotFound(f"no device is called {name}", expected=f"one of: {known}")
