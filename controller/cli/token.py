"""`controller token ...`: what people and CI are known by at a controller elsewhere."""

from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.formats import print_json_or_tables
from controller.cli.gc import parse_age
from controller.cli.settings import print_message, settings_of

if TYPE_CHECKING:
    from controller.model.access import TokenView

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke tokens of people and CI.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose it is: it stands on what is done with it.")]


@app.command()
def create(
    context: typer.Context,
    name: Name,
    scope: Annotated[str, typer.Option(help="reader, submitter or admin.")] = "reader",
    expires: Annotated[
        str | None, typer.Option(metavar="AGE", help="Valid for so long: 30d, 12h.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token. It is shown once; what is kept is its digest."""
    lifetime_s = None if expires is None else parse_age(expires, where="--expires")
    with settings_of(context).connect() as client:
        made = client.access().create_token(name, scope=scope, lifetime_s=lifetime_s)
    from controller.record.access import token_record

    if as_json:
        print_json_or_tables({"token": {**token_record(made.token), "secret": made.secret}}, as_json=True)
        return
    print(made.secret)
    print_message(f"{made.token.scope} token of {name}; it is not shown again: controller login ADDRESS asks for it")


@app.command("list")
def list_tokens(context: typer.Context, as_json: AsJson = False) -> None:
    """List every token that was made, without its secret."""
    with settings_of(context).connect() as client:
        found = client.access().tokens()
    _print(found, as_json=as_json)


@app.command()
def revoke(context: typer.Context, name: Name) -> None:
    """Take a token back: at once, and on calls that are open."""
    with settings_of(context).connect() as client:
        client.access().revoke_token(name)
    print_message(f"the token of {name} is revoked")


def _print(found: "list[TokenView]", *, as_json: bool) -> None:
    from controller.record.access import token_record
    from controller.report.text.access import tokens_table

    print_json_or_tables({"tokens": [token_record(item) for item in found]}, tokens_table(found), as_json=as_json)
