"""pycuda's driver as a module, and libcuda, which log what they are asked: for tests of agent.runtime.gpu.cuda."""

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


class FakeGraphs:
    """The driver's functions for graphs, as ctypes calls them; `refuses` names the one that fails."""

    def __init__(self, refuses: str = "") -> None:
        self.log: list[str] = []
        self._refuses = refuses

    def _answer(self, call: str) -> int:
        self.log.append(call)
        return 900 if call == self._refuses else 0

    def cuStreamBeginCapture_v2(self, stream: ctypes.c_void_p, mode: int) -> int:
        assert (stream.value, mode) == (4711, 1)  # thread local
        return self._answer("begin")

    def cuStreamEndCapture(self, stream: ctypes.c_void_p, graph: Any) -> int:
        graph._obj.value = 0x6
        return self._answer("end")

    def cuGraphInstantiateWithFlags(self, executable: Any, graph: ctypes.c_void_p, flags: ctypes.c_uint64) -> int:
        assert (graph.value, flags.value) == (0x6, 0)
        executable._obj.value = 0xE
        return self._answer("instantiate")

    def cuGraphDestroy(self, graph: ctypes.c_void_p) -> int:
        return self._answer("destroy")

    def cuGraphLaunch(self, executable: ctypes.c_void_p, stream: ctypes.c_void_p) -> int:
        assert (executable.value, stream.value) == (0xE, 4711)
        return self._answer("launch")

    def cuGraphExecDestroy(self, executable: ctypes.c_void_p) -> int:
        return self._answer("destroy executable")

    def cuGetErrorName(self, status: int, name: Any) -> int:
        assert status == 900
        name._obj.value = b"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"
        return 0


def install(monkeypatch: pytest.MonkeyPatch, driver: FakeDriver, graphs: FakeGraphs | None = None) -> None:
    """Puts them where imports look, and a libcuda that logs how the host is to wait."""
    monkeypatch.setitem(sys.modules, "pycuda", ModuleType("pycuda"))
    monkeypatch.setitem(sys.modules, "pycuda.driver", driver)
    made = graphs or FakeGraphs()
    library = SimpleNamespace(
        **{name: getattr(made, name) for name in dir(made) if name.startswith("cu")},
        cuDevicePrimaryCtxSetFlags_v2=lambda device, flags: driver.log.append(f"schedule {device} {flags}"),
        cuCtxPopCurrent_v2=lambda context: driver.log.append("pop what detach pushed"),
    )
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
