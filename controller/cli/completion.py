"""`controller completion`: what a shell needs to complete verbs and options."""

from enum import Enum
from typing import Annotated

import click
import typer

from jetfleet.completion import script


class Shell(str, Enum):
    """As typer reads them."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def completion(
    context: typer.Context, shell: Annotated[Shell, typer.Argument(help="The shell that you use.", show_default=False)]
) -> None:
    """Print a completion script.

    bash: source <(controller completion bash); fish: controller completion fish | source
    """
    root = context.find_root()
    print(script(shell.value, "controller", _words(root.command)), end="")


def _words(command: click.Command, path: str = "") -> dict[str, list[str]]:
    options = [word for item in command.params for word in item.opts if word.startswith("--")]
    if not isinstance(command, click.Group):
        return {path: options}
    shown = {name: item for name, item in command.commands.items() if not item.hidden}
    found = {path: [*shown, *options]}
    for name, item in shown.items():
        found.update(_words(item, f"{path} {name}".strip()))
    return found
