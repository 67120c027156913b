"""`controller install` and `controller uninstall`: the controller as a systemd service of this machine."""

import os
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.settings import print_message
from jetfleet.errors import BadInput, Infrastructure
from jetfleet.interpreter import PYTHON

Root = Annotated[
    Path, typer.Option(metavar="DIR", help="Write below another folder than /, and run no command.", show_default=False)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print every file and command, and do nothing.")]


def install(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where people, CI and boards that enrol connect.")
    ] = "0.0.0.0:50051",
    agents: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where boards that enrolled connect.")
    ] = "0.0.0.0:50052",
    host: Annotated[
        list[str] | None,
        typer.Option(help="A name or address by which boards reach this machine; may be repeated.", show_default=False),
    ] = None,
    dry_run: DryRun = False,
    root: Root = Path("/"),
) -> None:
    """Make the controller a service of this machine, and start it.

    Run again, it changes what differs and disturbs nothing else.
    """
    from controller.installation.plan import STATE_DIR, USER, ControllerHost, install_steps
    from jetfleet.address import check_address
    from jetfleet.installation import apply, show
    from jetfleet.service_unit import OLDEST_SYSTEMD, python_problem, systemd_version

    for option, address in (("--listen", listen), ("--agents", agents)):
        check_address(address, where=option)
    live = root == Path("/")
    systemd = systemd_version() if live else OLDEST_SYSTEMD
    problem = python_problem(Path(PYTHON))
    steps = install_steps(ControllerHost(PYTHON, listen, agents, tuple(host or ()), systemd))
    if dry_run:
        show(steps, print)
        if problem:
            print(f"it would be refused: {problem}")
        return
    _need(root)
    if problem:
        hint = "python3 -m venv /opt/jetfleet as root; install the controller there and use that one"
        raise Infrastructure(f"the service could not run this Python: {problem}", hint=hint)
    if not apply(steps, root=root, say=print):
        print("nothing had to be changed")
    if live:
        print_message(f"then: sudo -u {USER} {_command()} --state {STATE_DIR} enroll new --name BOARD")


def uninstall(
    purge: Annotated[bool, typer.Option("--purge", help="Remove its state too: the database and every file.")] = False,
    dry_run: DryRun = False,
    root: Root = Path("/"),
) -> None:
    """Remove the service again; the state folder stays."""
    from controller.installation.plan import STATE_DIR, uninstall_steps
    from jetfleet.installation import apply, show

    steps = uninstall_steps(purge=purge)
    if dry_run:
        show(steps, print)
        return
    _need(root)
    apply(steps, root=root, say=print)
    if not purge:
        print_message(f"{STATE_DIR} is left; `controller uninstall --purge` removes it too")


def _need(root: Path) -> None:
    if not root.is_dir():
        raise BadInput("there is no such folder", where=f"--root {root}")
    if root == Path("/") and os.geteuid() != 0:
        raise Infrastructure("only root may install a service", hint="sudo, or --dry-run to see what it would do")


def _command() -> Path:
    """The script beside the Python that runs it."""
    return Path(PYTHON).with_name("controller")
