"""NVIDIA's management library asked through ctypes: the driver's version. Errors mean unknown.

On a Jetson up to JetPack 6 the library is absent or says "not supported": then nothing is known from it.
"""

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LIBRARY = "libnvidia-ml.so.1"
_VERSION_BYTES = 96  # NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE is 80, a device's name needs 96


@dataclass(frozen=True)
class NvmlDevice:
    """None means that the library did not tell."""

    driver: str | None = None
    name: str | None = None
    memory_bytes: int | None = None
    compute_capability: str | None = None


class _Memory(ctypes.Structure):
    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


def read_nvml(device_uuid: str | None, load: Callable[[str], ctypes.CDLL] = ctypes.CDLL) -> NvmlDevice:
    """The driver, and the GPU of a UUID (None: no GPU is asked for)."""
    with _opened(load) as library:
        if library is None:
            return NvmlDevice()
        driver = ctypes.create_string_buffer(_VERSION_BYTES)
        version = _text(driver) if not library.nvmlSystemGetDriverVersion(driver, _VERSION_BYTES) else None
        handle = ctypes.c_void_p()
        identity = (device_uuid or "").encode()
        if not identity or library.nvmlDeviceGetHandleByUUID(identity, ctypes.byref(handle)):
            return NvmlDevice(driver=version)
        name, memory = ctypes.create_string_buffer(_VERSION_BYTES), _Memory()
        major, minor = ctypes.c_int(), ctypes.c_int()
        named = not library.nvmlDeviceGetName(handle, name, _VERSION_BYTES)
        measured = not library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))
        capable = not library.nvmlDeviceGetCudaComputeCapability(handle, ctypes.byref(major), ctypes.byref(minor))
        return NvmlDevice(
            driver=version,
            name=_text(name) if named else None,
            memory_bytes=memory.total if measured else None,
            compute_capability=f"{major.value}.{minor.value}" if capable else None,
        )


@contextlib.contextmanager
def _opened(load: Callable[[str], ctypes.CDLL]) -> Iterator[ctypes.CDLL | None]:
    """The library, initialised; None where there is none, or it does not serve this GPU."""
    try:
        library = load(LIBRARY)
        initialised = library.nvmlInit_v2() == 0
    except (OSError, AttributeError):
        yield None
        return
    if not initialised:
        yield None
        return
    try:
        yield library
    finally:
        library.nvmlShutdown()


def _text(buffer: "ctypes.Array[ctypes.c_char]") -> str | None:
    return buffer.value.decode(errors="replace").strip() or None
