"""The memory that a builder takes from: how much is free, whether the host shares it, what a build used at most."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeAlias

from agent.runtime.base import DeviceFault
from agent.runtime.gpu.cuda import Cuda, is_usable

_log = logging.getLogger(__name__)

_MEMINFO = Path("/proc/meminfo")
_AVAILABLE, _FREE = "MemAvailable:", "MemFree:"
_TEGRA = Path("/etc/nv_tegra_release")
_INTERVAL_S = 0.05


def open_cuda() -> Cuda | None:
    """The device, or None: TensorRT for RTX builds without one."""
    if not is_usable():
        return None
    try:
        return Cuda.open()
    except DeviceFault as error:
        _log.warning("no GPU for the build: %s", error)
        return None


def is_shared(cuda: Cuda | None, tegra: Path = _TEGRA) -> bool:
    """Whether the GPU has its memory from the host: known to CUDA, and without it to a Jetson's release file."""
    return cuda.integrated if cuda is not None else tegra.exists()


def available_bytes(meminfo: Path = _MEMINFO) -> int | None:
    """What the host could still give away, as the kernel reckons it; None: unknown."""
    return _read(meminfo).get(_AVAILABLE)


def usable_bytes(meminfo: Path = _MEMINFO) -> int | None:
    """What a GPU that shares its memory may count on; None: unknown.

    The kernel counts the page cache as available, because it gives it up for a program's pages. A Jetson's GPU has its
    memory from NvMap, which fails where much of it is still cache: half of that is left out.
    """
    read = _read(meminfo)
    available, free = read.get(_AVAILABLE), read.get(_FREE, 0)
    return None if available is None else available - max(0, available - free) // 2


def memory_advice(meminfo: Path = _MEMINFO) -> str:
    """What to free where host and GPU share their memory, and how much of it is what now."""
    read = _read(meminfo)
    free, cache = read.get(_FREE, 0) >> 20, max(0, read.get(_AVAILABLE, 0) - read.get(_FREE, 0)) >> 20
    return (
        f"host and GPU share their memory, of which {free} MiB are free and {cache} MiB hold file cache that a GPU may "
        "not get: stop the desktop and other containers, or drop the cache (sudo sysctl vm.drop_caches=3)"
    )


def _read(meminfo: Path) -> dict[str, int]:
    """Bytes by the kernel's names; empty where it does not tell."""
    try:
        lines = [line.split() for line in meminfo.read_text().splitlines()]
    except OSError:
        return {}
    return {words[0]: int(words[1]) * 1024 for words in lines if words and words[0] in (_AVAILABLE, _FREE)}


Read: TypeAlias = Callable[[], "int | None"]
OpenReader: TypeAlias = Callable[[], AbstractContextManager[Read]]


class PeakMemory(AbstractContextManager["PeakMemory"]):
    """Watches how little memory is free while the body runs. The reader is opened, used and closed in one thread.

    Sampled: what comes and goes within one interval is not seen.
    """

    def __init__(self, open_reader: OpenReader | None, *, interval_s: float = _INTERVAL_S) -> None:
        self._open_reader, self._interval_s = open_reader, interval_s
        self._ended, self._begun = threading.Event(), threading.Event()
        self._first: int | None = None
        self._lowest: int | None = None
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def used_bytes(self) -> int | None:
        """The most in use beyond what was before; None where nothing could be read."""
        if self._first is None or self._lowest is None:
            return None
        return self._first - self._lowest

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        self._begun.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        try:
            if self._open_reader is not None:
                with self._open_reader() as read:
                    self._sample(read)
        except DeviceFault as error:
            _log.warning("device memory is not watched: %s", error)
        finally:
            self._begun.set()

    def _sample(self, read: Read) -> None:
        self._first = self._lowest = read()
        self._begun.set()
        while self._lowest is not None and not self._ended.wait(self._interval_s):
            self._lowest = min(self._lowest, read() or self._lowest)


def reader(*, shared: bool, cuda: Cuda | None) -> OpenReader | None:
    """How to read the free memory of a device, for PeakMemory; None: there is no device."""
    if shared:
        return _host_reader
    return None if cuda is None else _device_reader


@contextmanager
def _host_reader() -> Iterator[Read]:
    yield available_bytes


@contextmanager
def _device_reader() -> Iterator[Read]:
    own = Cuda.open()  # a context is current in one thread only
    try:
        yield lambda: own.memory()[0]
    finally:
        own.close()
