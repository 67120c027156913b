"""A GPU that is none: memory on the host, a clock that only this module moves, and a log of everything asked of it.

FakeCuda stands in for Cuda; what it says of time is scripted. Copies run when the event behind them
is awaited, as on a real stream, so that a session which reads its outputs too early finds the old ones.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.runtime.base import DeviceFault
from agent.runtime.gpu.engine import Slot
from agent.runtime.gpu.graphs import CaptureFailed


class FakeFailure(Exception):
    """What pycuda would raise."""


class FakeStream:
    """Work that waits until somebody awaits an event; `now_ms` is the device's clock."""

    handle = 77

    def __init__(self, cuda: "FakeCuda") -> None:
        self.cuda = cuda
        self.queue: list[Callable[[], None]] = []
        self.now_ms = 0.0

    def put(self, takes_ms: float, work: Callable[[], None]) -> None:
        def run() -> None:
            self.now_ms += takes_ms
            work()

        self.queue.append(run)

    def wait_for(self, event: "FakeEvent") -> None:
        def run() -> None:
            if event.at_ms is None:
                assert event.stream is not None
                event.stream.run()
            assert event.at_ms is not None
            self.now_ms = max(self.now_ms, event.at_ms)

        self.queue.append(run)

    def run(self) -> None:
        while self.queue:
            self.queue.pop(0)()


class FakeEvent:
    def __init__(self) -> None:
        self.at_ms: float | None = None
        self.stream: FakeStream | None = None

    def record(self, stream: FakeStream) -> None:
        self.stream, self.at_ms = stream, None
        stream.cuda.log.append("event")

        def mark() -> None:
            self.at_ms = stream.now_ms

        stream.put(0.0, mark)

    def wait(self) -> None:
        assert self.stream is not None
        self.stream.cuda.log.append("wait")
        self.stream.run()

    def ms_since(self, earlier: "FakeEvent") -> float:
        assert self.at_ms is not None
        assert earlier.at_ms is not None
        return self.at_ms - earlier.at_ms


class FakeBuffer:
    def __init__(self, cuda: "FakeCuda", nbytes: int) -> None:
        self.cuda, self.memory = cuda, np.zeros(max(nbytes, 1), np.uint8)
        self.pointer = cuda.address(self.memory)

    def free(self) -> None:
        self.cuda.log.append("free")


class FakeGraph:
    def __init__(self, cuda: "FakeCuda", stream: FakeStream, work: list[Callable[[], None]]) -> None:
        self._cuda, self._stream, self._work = cuda, stream, work

    def launch(self) -> None:
        self._cuda.log.append("launch")
        self._stream.queue.extend(self._work)

    def close(self) -> None:
        self._cuda.log.append("graph closed")


class FakeCuda:
    """`coherent`: an integrated GPU; `capture_fails`: in whose words; `allocations`: how many before memory ends."""

    name, pci_address, compute_capability, sm_count = "a fake GPU", "0000:00:00.0", "8.7", 8
    failures = (FakeFailure,)

    def __init__(self, *, coherent: bool = False, capture_fails: str = "", allocations: int = 1000) -> None:
        self.coherent, self.log = coherent, list[str]()
        self._capture_fails, self._allocations = capture_fails, allocations
        self._memory: dict[int, NDArray[Any]] = {}
        self.copy_in_ms, self.copy_out_ms, self.copy_across_ms = 0.25, 0.125, 0.5
        self.events, self.capturing = 0, False

    def stream(self) -> FakeStream:
        return FakeStream(self)

    def event(self) -> FakeEvent:
        self.events += 1
        return FakeEvent()

    def pinned(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        return np.zeros(shape, dtype)

    def mapped(self, array: NDArray[Any]) -> int:
        self.log.append("mapped")
        return self.address(array)

    def device(self, nbytes: int) -> FakeBuffer:
        self._allocations -= 1
        if self._allocations < 0:
            raise FakeFailure("out of memory")
        return FakeBuffer(self, nbytes)

    def address(self, array: NDArray[Any]) -> int:
        self._memory[array.ctypes.data] = array
        return array.ctypes.data

    def at(self, pointer: int, slot: Slot) -> NDArray[Any]:
        """The memory behind an address, as an engine on the device would see it."""
        return (
            self._memory[pointer].reshape(-1).view(np.uint8)[: slot.nbytes].view(slot.dtype).reshape(slot.stored_shape)
        )

    def copy_in(self, buffer: FakeBuffer, array: NDArray[Any], stream: FakeStream) -> None:
        self.log.append("copy in")
        stream.put(self.copy_in_ms, lambda: _copy(buffer.memory, array))

    def copy_out(self, array: NDArray[Any], buffer: FakeBuffer, stream: FakeStream) -> None:
        self.log.append("copy out")
        stream.put(self.copy_out_ms, lambda: _copy(array.reshape(-1).view(np.uint8), buffer.memory))

    def copy_across(self, to: FakeBuffer, source: FakeBuffer, stream: FakeStream) -> None:
        self.log.append("copy across")
        stream.put(self.copy_across_ms, lambda: _copy(to.memory, source.memory))

    def capture(self, stream: FakeStream, enqueue: Callable[[], None]) -> FakeGraph:
        self.log.append("capture")
        if self._capture_fails:
            raise CaptureFailed(self._capture_fails)
        self.capturing = True
        enqueue()
        self.capturing = False
        captured, stream.queue = stream.queue, []
        return FakeGraph(self, stream, captured)

    def fault(self, error: Exception) -> Exception:
        assert "context closed" not in self.log, "the real one asks the context"
        return MemoryError(str(error)) if "out of memory" in str(error) else DeviceFault(f"CUDA failed: {error}")

    def close(self) -> None:
        self.log.append("context closed")


class DoublingEngine:
    """y = 2 x, n = 6, in `takes_ms` on the fake device; `baked`: in a graph with the x of its capture."""

    def __init__(
        self,
        cuda: FakeCuda,
        stream: FakeStream,
        *,
        takes_ms: float = 1.5,
        fails: Exception | None = None,
        baked: bool = False,
    ) -> None:
        self.inputs = [Slot("x", "float32", (2, 3))]
        self.outputs = [Slot("y", "float32", (2, 3)), Slot("n", "int64", ())]
        self._cuda, self._stream, self._takes_ms = cuda, stream, takes_ms
        self.fails, self.runs, self._baked = fails, 0, baked
        self._at: dict[str, int] = {}

    def bind(self, name: str, pointer: int) -> None:
        self._at[name] = pointer

    def enqueue(self, stream: int) -> None:
        assert stream == FakeStream.handle
        self._cuda.log.append("enqueue")
        if self.fails:
            raise self.fails
        x, (y, n) = self._place(self.inputs[0]), [self._place(slot) for slot in self.outputs]

        constant = 2 * x if self._baked and self._cuda.capturing else None

        def work() -> None:
            y[:] = 2 * x if constant is None else constant
            n[...] = y.size
            self.runs += 1

        self._stream.put(self._takes_ms, work)

    def _place(self, slot: Slot) -> NDArray[Any]:
        return self._cuda.at(self._at[slot.name], slot)

    def describe(self) -> dict[str, str]:
        return {"engine": "doubles"}

    def close(self) -> None:
        self._cuda.log.append("engine closed")


def _copy(to: NDArray[Any], source: NDArray[Any]) -> None:
    content = source.reshape(-1).view(np.uint8)
    to[: len(content)] = content[: len(to)]
