"""NVIDIA's CUDA driver asked through ctypes: which GPU CUDA would use here, and whether it can be used at all.

For processes that may crash: the probe's and the doctor's children, never the daemon. Constants and signatures are of
cuda.h; CUDA_VISIBLE_DEVICES is the driver's own business, and its first device is ours.
"""

import ctypes
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from jetfleet.errors import Infrastructure

LIBRARY = "libcuda.so.1"
_MULTIPROCESSOR_COUNT, _INTEGRATED, _CC_MAJOR, _CC_MINOR = 16, 18, 75, 76
_NAME_BYTES = 256
_ADDRESS_BYTES = 32


def first_pci_address(load: Callable[[str], ctypes.CDLL] = ctypes.CDLL) -> str:
    """Where the GPU is that CUDA would use, without taking a context on it; empty where there is none."""
    try:
        return CudaDriver(load).pci_address()
    except (OSError, AttributeError, CudaError):
        return ""


class CudaError(Infrastructure):
    """A call of the driver failed; the message holds its name for the error."""


@dataclass(frozen=True)
class CudaDevice:
    """The first visible GPU. `cuda` is the newest CUDA that this driver serves."""

    name: str
    uuid: str
    compute_capability: str
    sm_count: int
    integrated: bool
    memory_bytes: int
    cuda: str


class CudaDriver:
    """libcuda, initialised. Raises OSError where it does not load, CudaError where it does not start."""

    def __init__(self, load: Callable[[str], ctypes.CDLL] = ctypes.CDLL) -> None:
        self._library = load(LIBRARY)
        self.call("cuInit", 0)

    def call(self, name: str, *arguments: object) -> None:
        """Calls a function of the driver. Raises CudaError, with the driver's own word for it, unless it succeeds."""
        code = int(getattr(self._library, name)(*arguments))
        if code:
            raise CudaError(f"{name} failed: {self._error_name(code)}")

    def first_device(self) -> CudaDevice:
        """Raises CudaError where CUDA sees no device."""
        count = ctypes.c_int()
        self.call("cuDeviceGetCount", ctypes.byref(count))
        if not count.value:
            raise CudaError("CUDA sees no device", hint="CUDA_VISIBLE_DEVICES may hide it")
        device = ctypes.c_int()
        self.call("cuDeviceGet", ctypes.byref(device), 0)
        version, name, identity = ctypes.c_int(), ctypes.create_string_buffer(_NAME_BYTES), (ctypes.c_ubyte * 16)()
        memory = ctypes.c_size_t()
        self.call("cuDriverGetVersion", ctypes.byref(version))
        self.call("cuDeviceGetName", name, _NAME_BYTES, device)
        self.call("cuDeviceGetUuid", identity, device)
        self.call("cuDeviceTotalMem_v2", ctypes.byref(memory), device)
        ask = {key: self._attribute(key, device) for key in (_CC_MAJOR, _CC_MINOR, _MULTIPROCESSOR_COUNT, _INTEGRATED)}
        return CudaDevice(
            name=name.value.decode(errors="replace"),
            uuid=f"GPU-{uuid.UUID(bytes=bytes(identity))}",
            compute_capability=f"{ask[_CC_MAJOR]}.{ask[_CC_MINOR]}",
            sm_count=ask[_MULTIPROCESSOR_COUNT],
            integrated=bool(ask[_INTEGRATED]),
            memory_bytes=memory.value,
            cuda=f"{version.value // 1000}.{version.value % 1000 // 10}",
        )

    def pci_address(self) -> str:
        """Of the first device, as NVML takes it. Raises CudaError where CUDA sees none."""
        device, address = ctypes.c_int(), ctypes.create_string_buffer(_ADDRESS_BYTES)
        self.call("cuDeviceGet", ctypes.byref(device), 0)
        self.call("cuDeviceGetPCIBusId", address, _ADDRESS_BYTES, device)
        return address.value.decode(errors="replace")

    def exercise(self) -> None:
        """Takes the primary context, writes a MiB on the GPU, and reads it back. Raises CudaError."""
        device, context, pointer = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
        size, back = 1 << 20, ctypes.create_string_buffer(1 << 20)
        self.call("cuDeviceGet", ctypes.byref(device), 0)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        try:
            self.call("cuCtxPushCurrent_v2", context)
            self.call("cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(size))
            self.call("cuMemsetD8_v2", pointer, ctypes.c_ubyte(0xA5), ctypes.c_size_t(size))
            self.call("cuMemcpyDtoH_v2", back, pointer, ctypes.c_size_t(size))
            self.call("cuMemFree_v2", pointer)
            self.call("cuCtxPopCurrent_v2", ctypes.byref(context))
        finally:
            self.call("cuDevicePrimaryCtxRelease_v2", device)
        if back.raw != b"\xa5" * size:
            raise CudaError("what was written to the GPU's memory did not come back")

    def _attribute(self, attribute: int, device: ctypes.c_int) -> int:
        value = ctypes.c_int()
        self.call("cuDeviceGetAttribute", ctypes.byref(value), attribute, device)
        return value.value

    def _error_name(self, code: int) -> str:
        name = ctypes.c_char_p()
        self._library.cuGetErrorName(code, ctypes.byref(name))
        return f"{name.value.decode()} ({code})" if name.value else f"error {code}"
