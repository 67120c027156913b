"""What every verb shares: the state folder, the controller's address, and how a command line names them again.

The client, and with it grpc, is imported when a verb first needs the controller: `--help` answers without it.
"""

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jetfleet.address import default_state_dir

if TYPE_CHECKING:
    import typer

    from controller.api.client import Client


@dataclass
class Settings:
    """Filled in by the global options; `chosen` holds those that were given, for hints that can be pasted."""

    state_dir: Path = field(default_factory=default_state_dir)
    address: str | None = None
    state_chosen: bool = False  # on the command line: a controller that somebody logged in at is not meant then
    verbose: bool = False
    chosen: list[str] = field(default_factory=list)

    def connect(self) -> "Client":
        """A client whose controller has answered, started if need be. Use as a context manager."""
        from controller.api.discovery import connect

        return connect(
            None if not self.state_chosen else self.state_dir, address=self.address, on_message=print_message
        )

    def check_address(self) -> None:
        """Raises Unreachable if an explicit address does not answer; makes the state folder. Starts nothing."""
        from controller.api.discovery import explicit_address, make_state_dir

        make_state_dir(self.state_dir)
        if explicit_address(self.address, state_chosen=self.state_chosen):
            self.connect().close()

    def command(self, verb: str) -> str:
        """A command line that reaches the same controller: `controller --state X job watch 12`."""
        return " ".join(["controller", *map(shlex.quote, self.chosen), verb])


def settings_of(context: "typer.Context") -> Settings:
    """The settings that main() put into the context."""
    found = context.find_object(Settings)
    return found if found is not None else Settings()


def print_message(text: str) -> None:
    """To people: never mixed with data, which goes to stdout."""
    print(text, file=sys.stderr, flush=True)
