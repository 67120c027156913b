"""`controller serve`: the daemon, in the foreground. The only verb that loads the store and the service."""

import logging
import os
import threading
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from controller.api.local_limits import MOST_AGENTS
from controller.cli.gc import parse_age, parse_size
from controller.cli.numbers import LONGEST_S, FiniteRange
from controller.cli.settings import Settings, print_message, settings_of
from jetfleet.plain_log import log_plainly

_ADDRESS_FILE, _AGENTS_FILE = "controller.address", "controller.agents"
_LOCK_FILE = "controller.lock"  # holds its owner's process id
_DEFAULT_LISTEN, _DEFAULT_AGENTS = "127.0.0.1:50051", "127.0.0.1:50052"
_AGENT_GRACE_S = 10.0
_POLL_S = 0.1

Retain = Annotated[
    str | None,
    typer.Option(metavar="AGE", help="Remove jobs, results and engines older than this: 365d.", show_default="never"),
]
RetainSize = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Remove the oldest while files take more than this.", show_default="never"),
]
RetainLitter = Annotated[
    str, typer.Option(metavar="AGE", help="Remove what nobody needs once it is so old; off: keep it.")
]

Local = Annotated[
    int,
    typer.Option(min=0, max=MOST_AGENTS, metavar="[=N]", help="Run N agents on this machine too.", show_default=False),
]

IdleExit = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", click_type=FiniteRange(min=0, max=LONGEST_S), help="Idleness that ends --embedded."
    ),
]

MinFree = Annotated[
    float,
    typer.Option(
        metavar="PERCENT",
        click_type=FiniteRange(min=0, max=99),
        help="Take no upload that would leave less of the disk free.",
    ),
]


Listen = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help=f"Where people, CI and boards that enrol connect, by TLS. [default: {_DEFAULT_LISTEN}]",
        show_default=False,
    ),
]
Agents = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help=f"Where boards that enrolled connect, by TLS. [default: {_DEFAULT_AGENTS}]",
        show_default=False,
    ),
]
Metrics = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="/metrics for readers and /healthz, by TLS.", show_default="off"),
]


BoardQuota = Annotated[
    str, typer.Option(metavar="SIZE", help="Take no more of a board's files that no accepted result names.")
]


class LogFormat(Enum):
    TEXT = "text"
    JSON = "json"


LogFormats = Annotated[LogFormat, typer.Option(help="Lines for people, or one JSON object a line.")]
Hosts = Annotated[
    list[str] | None,
    typer.Option(help="A name or address by which boards reach this machine; may be repeated.", show_default=False),
]
EmptyDatabase = Annotated[
    bool, typer.Option("--accept-empty-database", help="Begin anew where the files of earlier jobs have lost theirs.")
]


class Switch(str, Enum):
    """As people write it."""

    ON = "on"
    OFF = "off"


ForeignEngines = Annotated[
    Switch, typer.Option(help="Whether boards run engines that others of their class built; off: each builds its own.")
]


def serve(
    context: typer.Context,
    listen: Listen = None,
    agents: Agents = None,
    metrics: Metrics = None,
    host: Hosts = None,
    foreign_engines: ForeignEngines = Switch.ON,
    local: Local = 0,
    embedded: Annotated[bool, typer.Option("--embedded", help="On the socket only, and stop when idle.")] = False,
    idle_exit: IdleExit = 60.0,
    accept_empty_database: EmptyDatabase = False,
    min_free: MinFree = 2.0,
    board_quota: BoardQuota = "32GB",
    retain: Retain = None,
    retain_size: RetainSize = None,
    retain_litter: RetainLitter = "30d",
    log_format: LogFormats = LogFormat.TEXT,
    as_json: Annotated[bool, typer.Option("--json", hidden=True)] = False,
) -> None:
    """Run the controller in the foreground.

    One per state folder, whose Unix socket is always served; until SIGTERM or Ctrl-C.
    """
    from controller.service.options import ServeOptions
    from controller.service.server import serve as run

    settings = settings_of(context)
    _log_to_stderr(debug=settings.verbose, as_json=log_format is LogFormat.JSON)
    options = ServeOptions(
        state_dir=settings.state_dir,
        listen=listen if listen or embedded else _DEFAULT_LISTEN,
        agents=agents if agents or embedded else _DEFAULT_AGENTS,
        metrics=metrics,
        hosts=tuple(host or ()),
        foreign_engines=foreign_engines is Switch.ON,
        embedded=embedded,
        idle_s=idle_exit,
        accept_empty_database=accept_empty_database,
        min_free_percent=min_free,
        board_quota_bytes=parse_size(board_quota, where="--board-quota"),
        retain_s=None if retain is None else parse_age(retain, where="--retain"),
        retain_bytes=None if retain_size is None else parse_size(retain_size, where="--retain-size"),
        retain_litter_s=None if retain_litter == "off" else parse_age(retain_litter, where="--retain-litter"),
    )
    helpers = LocalAgentsThread(settings, locals_wanted=local, quiet=embedded)
    helpers.start()
    try:
        run(options)
    finally:
        helpers.stop()


class LocalAgentsThread(threading.Thread):
    """Waits for the service to answer, says where it is, and keeps the local agents for as long as it runs.

    The service runs on the main thread, which gets the signals.
    """

    def __init__(self, settings: Settings, *, locals_wanted: int, quiet: bool) -> None:
        super().__init__(name="local-agents", daemon=True)
        self._state_dir, self._wanted, self._quiet = settings.state_dir.resolve(), locals_wanted, quiet
        self._ended = threading.Event()

    def run(self) -> None:
        from controller.api.discovery import find_running
        from controller.api.local import spawn_agent
        from jetfleet.address import socket_address

        # Before the lock is ours, whoever answers is another controller, and this one is about to say so and stop.
        while not self._owns_state() or (client := find_running(self._state_dir)) is None:
            if self._ended.wait(_POLL_S):
                return
        client.close()
        if not self._quiet:
            self._print_address()
        socket = socket_address(self._state_dir)
        agents = [
            spawn_agent(number, address=socket, state_dir=self._state_dir, idle_exit_s=None)
            for number in range(1, self._wanted + 1)
            if not self._ended.is_set()
        ]
        self._ended.wait()
        for agent in agents:
            agent.terminate(grace_s=_AGENT_GRACE_S)

    def stop(self) -> None:
        self._ended.set()
        self.join()

    def _owns_state(self) -> bool:
        path = self._state_dir / _LOCK_FILE
        return path.is_file() and path.read_text().strip() == str(os.getpid())

    def _print_address(self) -> None:
        listening, agents = (_read_line(self._state_dir / name) for name in (_ADDRESS_FILE, _AGENTS_FILE))
        where = f"{listening}, agents on {agents}" if listening else "its socket only"
        print_message(f"controller serving {self._state_dir} on {where} (Ctrl-C to stop)")


def _read_line(path: Path) -> str:
    return path.read_text().strip() if path.is_file() else ""


def _log_to_stderr(*, debug: bool, as_json: bool) -> None:
    log_plainly(debug=debug, as_json=as_json)
    for noisy in ("asyncio", "alembic", "grpc"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
