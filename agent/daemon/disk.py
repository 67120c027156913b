"""Whether the state folder can be worked in: it is there, this agent's, and has room. If not, the agent pauses.

Room is made first where the agent itself took it: files that it only keeps to save a download are dropped.
"""

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path

from agent.attempt import outputs_of
from agent.daemon.identity import device_id, take_state_dir, write_device_id
from agent.daemon.spool import Spool
from jetfleet.blobs import BlobDir
from jetfleet.errors import DiskFull, JetfleetError, StateLocked

log = logging.getLogger(__name__)

_LEAST_FREE_BYTES = 64 << 20
_LEAST_FREE_SHARE = 0.05  # of a disk so small that those would be most of it
_PROBE_BYTES = 1 << 20
# What the disk says that is full or failing; anything else is somebody's mistake.
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG, errno.ENOENT, errno.ESTALE)


def is_of_the_disk(error: BaseException) -> bool:
    """Whether an error came from a disk that is full, failing or gone."""
    return isinstance(error, DiskFull) or (isinstance(error, OSError) and error.errno in _OF_THE_DISK)


def free_bytes(folder: Path) -> tuple[int, int]:
    """What this user may still write there, and the size of the disk."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def free_or_none(folder: Path) -> int | None:
    """None where the folder is gone, or its disk does not say."""
    try:
        return free_bytes(folder)[0]
    except OSError:
        return None


class StateDisk:
    """The disk below the state folder. `may_drop` says whether cached files may go: nothing in hand needs them."""

    def __init__(
        self,
        state_dir: Path,
        *,
        blobs: BlobDir,
        spool: Spool,
        may_drop: Callable[[], bool],
        free_bytes: Callable[[Path], tuple[int, int]] = free_bytes,
    ) -> None:
        self.device_id = device_id(state_dir)
        self._state_dir, self._blobs, self._spool = state_dir, blobs, spool
        self._may_drop, self._free_bytes = may_drop, free_bytes
        self._suspected = False
        self._lock: int | None = None  # of a folder that was laid out again

    def suspect(self, error: BaseException) -> None:
        """A write failed: it is tried again before anything else is written."""
        log.error("the state folder cannot be written: %s", error)
        self._suspected = True

    def fault(self) -> str:
        """Why no work can be done here, or an empty string."""
        try:
            return self._find_fault()
        except (OSError, JetfleetError) as error:
            return f"cannot use {self._state_dir}: {error}"

    def _find_fault(self) -> str:
        if not self._state_dir.is_dir():
            return f"the state folder {self._state_dir} is gone"
        owner = self._owner()
        if owner is None:
            self._lay_out()
            owner = self._owner()
        if owner != self.device_id:
            raise StateLocked(f"{self._state_dir} belongs to another device by now")
        return self._lack_of_room() or self._try_to_write()

    def _lay_out(self) -> None:
        """Somebody emptied the folder: takes it again, as the same device. Raises StateLocked."""
        self._lock = take_state_dir(self._state_dir)
        self._blobs.lay_out()
        self._spool.lay_out()
        write_device_id(self._state_dir, self.device_id)

    def _make_room(self) -> None:
        """Drops every file that no pending result names."""
        if self._may_drop():
            outcomes = [self._spool.get(token) for token in self._spool.tokens()]
            named = [artifact for outcome in outcomes if outcome is not None for artifact in outputs_of(outcome)]
            self._blobs.keep_only({artifact.sha256 for artifact in named})

    def _owner(self) -> str | None:
        try:
            return (self._state_dir / "device_id").read_text().strip()
        except FileNotFoundError:
            return None

    def _lack_of_room(self) -> str:
        if not self._is_short():
            return ""
        self._make_room()
        if not self._is_short():
            return ""
        free, _ = self._free_bytes(self._state_dir)
        return f"{self._state_dir} has {free >> 20} MiB left on its disk"

    def _is_short(self) -> bool:
        free, size = self._free_bytes(self._state_dir)
        return free < min(_LEAST_FREE_BYTES, _LEAST_FREE_SHARE * size)

    def _try_to_write(self) -> str:
        """After a failure only: quotas and dying disks are seen by writing, and by nothing else."""
        if not self._suspected:
            return ""
        probe = self._state_dir / "probe.part"
        try:
            with probe.open("wb") as file:
                file.write(bytes(_PROBE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            return f"cannot write to {self._state_dir}: {error.strerror}"
        finally:
            probe.unlink(missing_ok=True)
        self._suspected = False
        return ""
