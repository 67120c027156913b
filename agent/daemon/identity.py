"""Who this agent is: a random device id in its state folder, and the lock that makes the folder its own."""

import contextlib
import fcntl
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from jetfleet.errors import StateLocked


def device_id(state_dir: Path) -> str:
    """Made once, kept for good."""
    path = state_dir / "device_id"
    if not path.exists():
        write_device_id(state_dir, uuid.uuid4().hex)
    return path.read_text().strip()


def write_device_id(state_dir: Path, made: str) -> None:
    part = state_dir / "device_id.part"
    with part.open("w") as file:
        file.write(made)
        file.flush()
        os.fsync(file.fileno())
    part.replace(state_dir / "device_id")


@contextlib.contextmanager
def lock_state_dir(state_dir: Path) -> Iterator[None]:
    """Holds the state folder for this process. Raises StateLocked if another agent has it."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = take_state_dir(state_dir)
    try:
        yield
    finally:
        os.close(handle)


def take_state_dir(state_dir: Path) -> int:
    """The lock of a state folder, held as long as the descriptor is open. Raises StateLocked."""
    handle = os.open(state_dir / "agent.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise StateLocked(
            f"another agent owns {state_dir}", hint="stop it, or give this one another --state folder"
        ) from None
    return handle
