"""Who has set something: a process by number, and a descriptor that becomes readable when that process ends."""

import os


class Holder:
    """Nobody, or one process."""

    def __init__(self) -> None:
        self._pid = 0
        self.descriptor: int | None = None

    def take(self, pid: int) -> bool:
        """Whether the process is there, and holds now."""
        if pid == self._pid:
            return True
        self.leave()
        try:
            self.descriptor = os.pidfd_open(pid)
        except OSError:
            return False
        self._pid = pid
        return True

    def other_than(self, pid: int) -> int | None:
        """The process that holds, if it is another one; its end is seen by whoever waits for the descriptor."""
        return self._pid if self._pid not in (0, pid) else None

    def leave(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
        self._pid, self.descriptor = 0, None
