"""What a channel is: one quantity that is read again and again while something is measured, and how files are read so.

A file stays open: the kernel makes its content anew for each read at offset 0, and opening is most of the work.
"""

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

EVERY_S = 0.1
SLOWLY_S = 1.0  # what moves slowly, or costs more to read
UNREADABLE = math.nan
_LONGEST_FILE = 4096


@dataclass(frozen=True)
class Channel:
    """`source` is the file or the call that is read; `counts` where the value only grows, and differences matter.

    Of a power monitor: `conversion_s` between two values of its own, `step_w` the smallest difference that it can see,
    and `covers`, what lies behind its rail.
    """

    name: str
    unit: str
    source: str
    every_s: float = EVERY_S
    counts: bool = False
    covers: str = ""
    conversion_s: float | None = None
    step_w: float | None = None
    wraps_at: float = 0.0  # a counter that begins again at 0 there; 0: it does not


@dataclass(frozen=True)
class Absent:
    """A quantity that this machine does not tell, and why."""

    name: str
    why: str


class Sensor(Protocol):
    """Channels that are read together, at one moment and equally often."""

    @property
    def channels(self) -> tuple[Channel, ...]: ...

    def read(self) -> Sequence[float]:
        """A value for each channel, UNREADABLE where there is none now."""

    def close(self) -> None: ...


class Readable(Protocol):
    """One number that can be read again and again."""

    def read(self) -> float: ...

    def close(self) -> None: ...


class TextFile:
    """A file that is read anew each time. Raises OSError when it cannot be opened; is empty when it cannot be read: a
    zone that is powered off answers EAGAIN."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> bytes:
        try:
            return os.pread(self._descriptor, _LONGEST_FILE, 0)
        except OSError:
            return b""

    def close(self) -> None:
        os.close(self._descriptor)


class NumberFile:
    """A file with one integer; `scale` makes the channel's unit of it."""

    def __init__(self, path: Path, *, scale: float = 1.0) -> None:
        self._scale = scale
        self._text = TextFile(path)

    def read(self) -> float:
        try:
            return int(self._text.read()) * self._scale
        except ValueError:
            return UNREADABLE

    def close(self) -> None:
        self._text.close()


class Product:
    """Two numbers that are read after one another: volts and amperes."""

    def __init__(self, first: Readable, second: Readable) -> None:
        self._first, self._second = first, second

    def read(self) -> float:
        return self._first.read() * self._second.read()

    def close(self) -> None:
        self._first.close()
        self._second.close()


class FileSensor:
    """Channels of which each is read by itself, one after the other."""

    def __init__(self, found: Sequence[tuple[Channel, Readable]]) -> None:
        self.channels = tuple(channel for channel, _ in found)
        self._readables = [readable for _, readable in found]

    def read(self) -> Sequence[float]:
        return [readable.read() for readable in self._readables]

    def close(self) -> None:
        for readable in self._readables:
            readable.close()


def file_sensors(wanted: Iterable[tuple[Channel, float]]) -> Iterator[Sensor | Absent]:
    """One sensor of the channels whose `source` is a file that can be opened, each with its scale; what cannot be is
    absent."""
    found = []
    for channel, scale in wanted:
        try:
            found.append((channel, NumberFile(Path(channel.source), scale=scale)))
        except OSError as error:
            yield Absent(channel.name, reason_of(error))
    if found:
        yield FileSensor(found)


def reason_of(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}"
