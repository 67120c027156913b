"""The first device's primary context and a stream, asked through ctypes by the questions about CUDA."""

import contextlib
import ctypes
from collections.abc import Iterator
from pathlib import Path

from agent.device.cudadriver import CudaDriver, CudaError
from agent.device.files import text_of
from agent.doctor.settle.question import CouldNotAsk

# An empty kernel, compiled by the driver: what a launch costs without any work.
_PTX = b".version 6.4\n.target sm_75\n.address_size 64\n.visible .entry nothing() { ret; }\n\0"


def memory_bytes(name: str, root: Path = Path("/")) -> int:
    """A line of /proc/meminfo: MemAvailable, MemFree, Cached. GPU and CPU of a Jetson share what it tells of."""
    lines = (text_of(root / "proc/meminfo") or "").splitlines()
    found = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(found[0]) * 1024 if found else 0


def available_bytes() -> int:
    return memory_bytes("MemAvailable")


class CudaContext:
    """The first device's primary context with a stream, for the life of one question."""

    def __init__(self, driver: CudaDriver) -> None:
        self.call = driver.call
        self.device, self.handle, self.stream = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
        self.call("cuDeviceGet", ctypes.byref(self.device), 0)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(self.handle), self.device)
        self.call("cuCtxPushCurrent_v2", self.handle)
        self.call("cuStreamCreate", ctypes.byref(self.stream), 1)  # non-blocking

    def attribute(self, number: int) -> int:
        value = ctypes.c_int()
        self.call("cuDeviceGetAttribute", ctypes.byref(value), number, self.device)
        return value.value

    def event(self) -> ctypes.c_void_p:
        made = ctypes.c_void_p()
        self.call("cuEventCreate", ctypes.byref(made), 0)
        return made

    def record(self, event: ctypes.c_void_p) -> None:
        self.call("cuEventRecord", event, self.stream)

    def wait(self) -> None:
        self.call("cuStreamSynchronize", self.stream)

    def between_us(self, begin: ctypes.c_void_p, end: ctypes.c_void_p) -> float:
        milliseconds = ctypes.c_float()
        self.call("cuEventElapsedTime", ctypes.byref(milliseconds), begin, end)
        return milliseconds.value * 1000

    def kernel(self) -> ctypes.c_void_p:
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        self.call("cuModuleLoadData", ctypes.byref(module), _PTX)
        self.call("cuModuleGetFunction", ctypes.byref(function), module, b"nothing")
        return function

    def launch(self, function: ctypes.c_void_p) -> None:
        self.call("cuLaunchKernel", function, 1, 1, 1, 1, 1, 1, 0, self.stream, None, None)

    def free_bytes(self) -> int:
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self.call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        return free.value

    def allocate(self, size: int) -> ctypes.c_uint64:
        """Device memory that has been written to, so that it is really there."""
        pointer = ctypes.c_uint64()
        self.call("cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(size))
        self.call("cuMemsetD8_v2", pointer, ctypes.c_ubyte(1), ctypes.c_size_t(size))
        return pointer

    def close(self) -> None:
        popped = ctypes.c_void_p()
        self.call("cuCtxPopCurrent_v2", ctypes.byref(popped))
        self.call("cuDevicePrimaryCtxRelease_v2", self.device)


@contextlib.contextmanager
def opened() -> Iterator[CudaContext]:
    """Raises CouldNotAsk where CUDA does not start, with its words."""
    try:
        context = CudaContext(CudaDriver())
    except (OSError, AttributeError, CudaError) as error:
        raise CouldNotAsk(f"CUDA does not start: {error}") from None
    try:
        yield context
    finally:
        with contextlib.suppress(CudaError):
            context.close()
