"""Who this agent is: a random device id in its state folder, and the lock that makes the folder its own."""

import contextlib
import fcntl
import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from jetfleet.errors import StateLocked


def device_id(state_dir: Path) -> str:
    """Made once, kept for good."""
    path = state_dir / "device_id"
    if not path.exists():
        part = state_dir / "device_id.part"
        with part.open("w") as file:
            file.write(uuid.uuid4().hex)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    return path.read_text().strip()


@contextlib.contextmanager
def lock_state_dir(state_dir: Path) -> Iterator[None]:
    """Holds the state folder for this process. Raises StateLocked if another agent has it."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(state_dir / "agent.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateLocked(
                f"another agent owns {state_dir}", hint="stop it, or give this one another --state folder"
            ) from None
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def bench_lock(bench_domain: str) -> Iterator[bool]:
    """Tries to be the only one on this host that uses the hardware of a bench domain; False if somebody else does.

    The controller already sees to it; this also holds between agents of different controllers, where they share the
    temp folder.
    """
    name = hashlib.sha256(bench_domain.encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"jetfleet-bench-{name}.lock"
    try:  # first without O_CREAT: a kernel refuses that for another user's file in a sticky folder
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
