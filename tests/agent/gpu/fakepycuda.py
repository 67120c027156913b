"""pycuda's driver and cuda-python's, as modules that log what they are asked: for tests of agent.runtime.gpu.cuda."""

import ctypes
import sys
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray


class Error(Exception):
    """As pycuda's: the base of its others."""


class OutOfMemory(Error):
    """pycuda calls it MemoryError; it is not Python's."""


class Status(int):
    """An enumeration's member, as cuda-python gives one."""

    @property
    def name(self) -> str:
        return "CUDA_SUCCESS" if self == 0 else "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"


class Pinned:
    """What holds page-locked memory and knows where the device sees it."""

    def __init__(self, memory: NDArray[np.uint8]) -> None:
        self.memory = memory
        self.__array_interface__ = memory.__array_interface__

    def get_device_pointer(self) -> int:
        return 0xD0000000


class FakeDriver(ModuleType):
    """`integrated` and `capability` are the device's; `broken` is what the start fails with."""

    event_flags = SimpleNamespace(DEFAULT=0, BLOCKING_SYNC=1)
    device_attribute = SimpleNamespace(INTEGRATED="integrated", MULTIPROCESSOR_COUNT="sms")
    host_alloc_flags = SimpleNamespace(DEVICEMAP=2)
    Error, MemoryError = Error, OutOfMemory

    def __init__(self, *, integrated: bool = False, capability: tuple[int, int] = (8, 7), broken: str = "") -> None:
        super().__init__("pycuda.driver")
        self.log: list[str] = []
        self._integrated, self._capability, self._broken = integrated, capability, broken
        fake = self

        class Device:
            def __init__(self, index: int) -> None:
                if index:
                    raise Error("cuDeviceGet failed: invalid device ordinal")

            @staticmethod
            def count() -> int:
                return 1

            def name(self) -> str:
                return "Orin"

            def pci_bus_id(self) -> str:
                return "0000:00:00.0"

            def compute_capability(self) -> tuple[int, int]:
                return fake._capability

            def get_attribute(self, name: str) -> int:
                return int(fake._integrated) if name == "integrated" else 8

            def retain_primary_context(self) -> Any:
                fake.log.append("retain")
                words = ("push", "pop", "detach")
                return SimpleNamespace(**{word: partial(fake.log.append, word) for word in words})

        self.Device = Device

    def init(self) -> None:
        if self._broken:
            raise Error(self._broken)

    def mem_get_info(self) -> tuple[int, int]:
        return 1 << 30, 8 << 30

    def Stream(self, flags: int) -> Any:
        return SimpleNamespace(handle=4711, flags=flags)

    def Event(self, flags: int) -> Any:
        self.log.append(f"event {flags}")
        return SimpleNamespace(flags=flags)

    def pagelocked_empty(self, shape: tuple[int, ...], dtype: Any, mem_flags: int) -> NDArray[np.uint8]:
        self.log.append(f"pinned {shape[0]} {mem_flags}")
        return np.asarray(Pinned(np.full(shape, 7, dtype)))


class FakeGraphs(ModuleType):
    """cuda-python's driver API; `refuses` names the call that fails."""

    CUstreamCaptureMode = SimpleNamespace(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL="thread local")
    CUresult = SimpleNamespace(CUDA_SUCCESS=0)

    def __init__(self, refuses: str = "") -> None:
        super().__init__("cuda.bindings.driver")
        self.log: list[str] = []
        self._refuses = refuses

    def CUstream(self, handle: int) -> int:
        return handle

    def _answer(self, call: str, *values: str) -> tuple[Any, ...]:
        self.log.append(call)
        return Status(call == self._refuses), *values

    def cuStreamBeginCapture(self, stream: int, mode: str) -> tuple[Any, ...]:
        assert (stream, mode) == (4711, "thread local")
        return self._answer("begin")

    def cuStreamEndCapture(self, stream: int) -> tuple[Any, ...]:
        return self._answer("end", "graph")

    def cuGraphInstantiate(self, graph: str, flags: int) -> tuple[Any, ...]:
        return self._answer("instantiate", "executable")

    def cuGraphDestroy(self, graph: str) -> tuple[Any, ...]:
        return self._answer("destroy")

    def cuGraphLaunch(self, executable: str, stream: int) -> tuple[Any, ...]:
        return self._answer("launch")

    def cuGraphExecDestroy(self, executable: str) -> tuple[Any, ...]:
        return self._answer("destroy executable")


def install(monkeypatch: pytest.MonkeyPatch, driver: FakeDriver, graphs: FakeGraphs | None = None) -> None:
    """Puts them where imports look, and a libcuda that logs how the host is to wait."""
    monkeypatch.setitem(sys.modules, "pycuda", ModuleType("pycuda"))
    monkeypatch.setitem(sys.modules, "pycuda.driver", driver)
    for name in ("cuda.bindings.driver", "cuda.cuda"):
        monkeypatch.setitem(sys.modules, name, graphs if name == "cuda.bindings.driver" else None)
    library = SimpleNamespace(
        cuDevicePrimaryCtxSetFlags_v2=lambda device, flags: driver.log.append(f"schedule {device} {flags}"),
        cuCtxPopCurrent_v2=lambda context: driver.log.append("pop what detach pushed"),
    )
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
