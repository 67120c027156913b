"""Agents on this machine: the `--local[=N]` of the CLI, and the one that a newcomer's first job runs on.

They are ordinary agents with state folders of their own under the controller's, and stop by themselves when idle.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from controller.api.control_client import ControlClient
from controller.api.local_limits import check_local
from controller.api.spawn import DetachedProcess
from controller.model.view import DeviceView
from jetfleet.errors import Infrastructure

LABEL = "label.local"
_ONLINE_S = 60.0
_IDLE_S = 60
_POLL_S = 0.1
# A process that stopped is either broken, or lost the race for the agent's lock to one that will show within this time.
_TWIN_S = 5.0


def local_name(number: int) -> str:
    """Counted from 1."""
    return f"local-{number}"


def spawn_agent(
    number: int, *, address: str, state_dir: Path, idle_exit_s: int | None, threads: int | None = None
) -> DetachedProcess:
    """Starts local agent `number`; without `idle_exit_s` it stays until it is told to stop.

    An agent that was once started with so many `threads` keeps them when it is started again.
    """
    name = local_name(number)
    folder = state_dir / "agents" / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    arguments = ["run", "--address", address, "--state", str(folder), "--name", name, "--label", "local=1"]
    arguments += ["--blobs-from", str(state_dir / "blobs")]  # same machine: files are linked, not copied
    note = folder / "threads"
    if threads is not None:
        note.write_text(str(threads))
    if note.exists():
        arguments += ["--threads", note.read_text()]
    if idle_exit_s is not None:
        arguments += ["--idle-exit", str(idle_exit_s)]
    return DetachedProcess("agent.cli", arguments, log=state_dir / "logs" / f"agent-{name}.log", cwd=folder)


def ensure_local_agents(
    client: ControlClient,
    *,
    count: int | None,
    state_dir: Path,
    threads: Sequence[int] = (),
    on_message: Callable[[str], None] = lambda _: None,
) -> None:
    """Local agents as many as asked for; unasked, those that an embedded controller would be useless without.

    `threads` are those of the agents that are started, in their order; the rest use every CPU.
    """
    check_local(count or 1, threads)
    if count is None and not threads:
        start_embedded_agents(client, state_dir=state_dir, on_message=on_message)
    else:
        start_local_agents(
            client, count=max(count or 1, len(threads)), state_dir=state_dir, threads=threads, on_message=on_message
        )


def start_local_agents(
    client: ControlClient,
    *,
    count: int,
    state_dir: Path,
    threads: Sequence[int] = (),
    on_message: Callable[[str], None] = lambda _: None,
    online_s: float = _ONLINE_S,
) -> None:
    """Returns when local agents 1 to `count` are online, started if need be. Raises what kept one from starting."""
    check_local(count, threads)
    folder = state_dir.resolve()
    online = _online(client)
    absent = [number for number in range(1, count + 1) if local_name(number) not in online]
    if not absent:
        return
    on_message(f"starting {len(absent)} local agent{'s' if len(absent) > 1 else ''}")
    processes = {
        local_name(number): spawn_agent(
            number,
            address=client.address,
            state_dir=folder,
            idle_exit_s=_IDLE_S,
            threads=threads[number - 1] if number <= len(threads) else None,
        )
        for number in absent
    }
    deadline = time.monotonic() + online_s
    while missing := set(processes) - _online(client):
        if any(processes[name].exit_code() is not None for name in missing):
            deadline = min(deadline, time.monotonic() + _TWIN_S)
        if time.monotonic() >= deadline:
            raise _not_online(processes[min(missing)], min(missing))
        time.sleep(_POLL_S)


def start_embedded_agents(
    client: ControlClient, *, state_dir: Path, on_message: Callable[[str], None] = lambda _: None
) -> None:
    """Starts an embedded controller's own agents where nobody is online: it can have no others, and they stop when
    idle. Does nothing for a daemon, whose fleet is its owner's business.
    """
    if client.hello().embedded and (count := stopped_local_count(client.devices())):
        start_local_agents(client, count=count, state_dir=state_dir, on_message=on_message)


def stopped_local_count(devices: Sequence[DeviceView]) -> int:
    """How many local agents to start for a fleet with nobody online: those it had, and for no fleet at all, one.

    0 if somebody is online, or the fleet has devices that are not ours to start.
    """
    if any(device.online for device in devices):
        return 0
    if any(device.facts.get(LABEL) is None for device in devices):
        return 0
    numbers = [device.name.removeprefix("local-") for device in devices]
    return max([1, *(int(number) for number in numbers if number.isdecimal())])


def _online(client: ControlClient) -> set[str]:
    return {device.name for device in client.devices() if device.online}


def _not_online(process: DetachedProcess, name: str) -> Infrastructure:
    if process.exit_code() is None:
        return Infrastructure(f"local agent {name} did not come online", hint=f"see {process.log}")
    said = process.error(f"local agent {name}")
    return Infrastructure(
        said.message, where=said.where, expected=said.expected, hint=said.hint or f"see {process.log}"
    )
