"""The fake GPU of the session's tests, as TensorRT's tests need it: shared memory or not, and a stream to wait for."""

from typing import Any

from numpy.typing import NDArray

from tests.agent.gpu.fakes import FakeCuda, FakeStream


class WaitingStream(FakeStream):
    def synchronize(self) -> None:
        self.run()


class BoardCuda(FakeCuda):
    def __init__(self, *, integrated: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.integrated = integrated
        self.streams: list[WaitingStream] = []

    def stream(self) -> WaitingStream:
        self.streams.append(WaitingStream(self))
        return self.streams[-1]

    def memory(self) -> tuple[int, int]:
        return 1 << 30, 8 << 30

    def copy_of(self, pointer: int) -> NDArray[Any]:
        """Bytes of what lies at an address now."""
        return self._memory[pointer].copy()
