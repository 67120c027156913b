"""How much a board may send that no accepted result of its names: its next files are refused before they are stored.

What nobody names is removed within a day, and as fast the quota fills up again. Kept in memory, like what a board sent.
"""

import time
from collections.abc import Callable

from jetfleet.errors import BadInput

_REFILL_S = 86400.0
_LEAST_BYTES = 64 << 10  # of any file, however small: it takes a row and a name on the disk


class UploadQuota:
    """By this process's own monotonic clock. `most_bytes` is of one board."""

    def __init__(self, most_bytes: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._most_bytes, self._now = most_bytes, now
        self._sent: dict[str, tuple[float, float]] = {}  # bytes, and when that was so

    def take(self, device_id: str, size_bytes: int) -> None:
        """Raises BadInput: to send the same again does not help."""
        size, sent = max(size_bytes, _LEAST_BYTES), self._sent_bytes(device_id)
        if sent + size > self._most_bytes:
            raise BadInput(
                f"this board has sent {sent / 1e6:.1f} MB that no result names, and may send {size / 1e6:.1f} MB more "
                f"only where both stay below {self._most_bytes / 1e6:.1f} MB",
                hint="`controller serve --board-quota SIZE`, if its engines are larger than that",
            )
        self._sent[device_id] = sent + size, self._now()

    def give_back(self, device_id: str, size_bytes: int) -> None:
        """What was announced and did not come."""
        self._sent[device_id] = max(0.0, self._sent_bytes(device_id) - size_bytes), self._now()

    def clear(self, device_id: str) -> None:
        """A result of the board was accepted: what it sent belongs to it."""
        self._sent.pop(device_id, None)

    def _sent_bytes(self, device_id: str) -> float:
        sent, at = self._sent.get(device_id, (0.0, 0.0))
        return max(0.0, sent - (self._now() - at) / _REFILL_S * self._most_bytes)
