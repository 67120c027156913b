"""`controller enroll new`: the line with which a board becomes a member of this fleet."""

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.formats import print_json_or_tables
from controller.cli.gc import parse_age
from controller.cli.labels import parse_labels
from controller.cli.settings import print_message, settings_of

if TYPE_CHECKING:
    from controller.api.access_client import NewInvitation

app = typer.Typer(no_args_is_help=True, help="Let boards become members of the fleet.")


@app.command()
def new(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="What the board will be called. [default: its host name]")] = "",
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Goes before the board's own; may be repeated.", show_default=False),
    ] = None,
    ttl: Annotated[str, typer.Option(metavar="AGE", help="The line is good for so long: 15m, 2h.")] = "15m",
    host: Annotated[
        str, typer.Option(help="By which the board reaches this controller. [default: as `serve --host` says]")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print one line to run on a board: where, whom to trust, and a token for one board and one time."""
    with settings_of(context).connect() as client:
        made = client.access().invite(
            name=name, labels=parse_labels(label or []), lifetime_s=parse_age(ttl, where="--ttl")
        )
    line = _line(made, host)
    if as_json:
        document = {"invitation": {"line": line, "expires_at": made.expires_at.isoformat(), "note": made.note or None}}
        print_json_or_tables(document, as_json=True)
        return
    print(line)
    print_message(f"run this on the board before {made.expires_at:%H:%M} UTC; then: agent run")
    if made.note:
        print_message(f"note: {made.note}")


def _line(made: "NewInvitation", host: str) -> str:
    """The token stands before the command: other users of the board see command lines, and not what is before them."""
    address = f"{host}:{made.address.rpartition(':')[2]}" if host else made.address
    return f"JETFLEET_JOIN_TOKEN={made.secret} agent enroll {shlex.quote(address)} --ca {made.ca_fingerprint}"
