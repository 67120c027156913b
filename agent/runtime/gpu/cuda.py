"""CUDA as the agent needs it: the primary context, page-locked memory, streams and events.

The only importer of pycuda, where it is first used: a board without a GPU imports this module and has none. The primary
context, because TensorRT and the CUDA runtime live in it; what pycuda.autoinit makes is another one. Managed memory
never: where host and GPU share memory, pinned memory is coherent and needs no care.
"""

import atexit
import ctypes
import importlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from agent.runtime.base import DeviceFault
from agent.runtime.gpu import graphs

Wait: TypeAlias = Literal["block", "spin"]

_SCHEDULE: dict[Wait, int] = {"spin": 0x01, "block": 0x04}  # CU_CTX_SCHED_SPIN, CU_CTX_SCHED_BLOCKING_SYNC
_NON_BLOCKING = 0x01  # CU_STREAM_NON_BLOCKING: does not wait for the default stream
_COHERENT = (7, 2)  # from here on, an integrated GPU and the CPU see one another's writes to pinned memory
_NO_DRIVER = "install NVIDIA's driver; in a container, start it with --runtime nvidia (servers: --gpus all)"
_NO_PYCUDA = "install the agent's extra 'cuda', with nvcc in PATH (on a Jetson: export PATH=$PATH:/usr/local/cuda/bin)"


class Stream:
    """A queue of work on the device, other than the default one, which waits for all others."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self.handle = int(raw.handle)

    def synchronize(self) -> None:
        self.raw.synchronize()

    def wait_for(self, event: "Event") -> None:
        """What is enqueued from here on begins when the device has come as far as the event."""
        self.raw.wait_for_event(event.raw)


class Event:
    """A moment on a stream, by the device's own clock."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def record(self, stream: Stream) -> None:
        self.raw.record(stream.raw)

    def wait(self) -> None:
        """Returns when the device has come this far; sleeps or spins meanwhile, as the context was opened."""
        self.raw.synchronize()

    def ms_since(self, earlier: "Event") -> float:
        """Both must have come to pass."""
        return float(self.raw.time_since(earlier.raw))


def milliseconds(pairs: Sequence[tuple[Event, Event]]) -> NDArray[np.float64]:
    """From the first to the second of each pair."""
    return np.array([later.ms_since(earlier) for earlier, later in pairs], dtype=np.float64)


class DeviceBuffer:
    """Device memory of a fixed size."""

    def __init__(self, raw: Any, nbytes: int) -> None:
        self.raw = raw
        self.pointer = int(raw)
        self.nbytes = nbytes

    def free(self) -> None:
        self.raw.free()


class Cuda:
    """A device's primary context, current in the thread that opened it until `close`; for that thread alone.

    `failures` are pycuda's exceptions; `fault` says what one of them means here.
    """

    def __init__(self, driver: Any, device: Any, context: Any, wait: Wait) -> None:
        self._driver, self._context = driver, context
        self.wait = wait
        attribute, self._device = driver.device_attribute, device
        self.name, self.pci_address = str(device.name()), str(device.pci_bus_id())
        self.integrated = bool(device.get_attribute(attribute.INTEGRATED))
        self._capability = tuple(int(part) for part in device.compute_capability())
        self.sm_count = int(device.get_attribute(attribute.MULTIPROCESSOR_COUNT))
        self.failures: tuple[type[Exception], ...] = (driver.Error,)
        blocking = wait == "block"
        self._event_flags = driver.event_flags.BLOCKING_SYNC if blocking else driver.event_flags.DEFAULT
        if threading.current_thread() is threading.main_thread():
            atexit.register(self.close)  # a context that is still current at exit aborts the process

    @classmethod
    def open(cls, device: int = 0, *, wait: Wait = "block") -> "Cuda":
        """Retains the device's primary context and makes it current. Raises DeviceFault with what to do about it."""
        driver = _driver()
        try:
            driver.init()
            found = driver.Device(device)
            _set_schedule(device, wait)
            context = found.retain_primary_context()
            context.push()
        except driver.Error as error:
            raise DeviceFault(
                f"CUDA does not start: {error}",
                where=f"cuda:{device}",
                expected="an NVIDIA GPU and a driver as new as the CUDA that pycuda was built with",
                hint=_NO_DRIVER,
            ) from error
        return cls(driver, found, context, wait)

    @property
    def compute_capability(self) -> str:
        return ".".join(map(str, self._capability))

    @property
    def coherent(self) -> bool:
        """Whether the GPU may work on pinned host memory itself, with no copies: shared memory, coherent caches."""
        return self.integrated and self._capability >= _COHERENT

    def memory(self) -> tuple[int, int]:
        """Bytes free and in all; where host and GPU share memory, of that."""
        free, total = self._driver.mem_get_info()
        return int(free), int(total)

    def stream(self) -> Stream:
        return Stream(self._driver.Stream(_NON_BLOCKING))

    def event(self) -> Event:
        return Event(self._driver.Event(self._event_flags))

    def pinned(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """A page-locked array of zeros that the device can address; freed with its last reference."""
        kind = np.dtype(dtype)
        nbytes = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        flags = self._driver.host_alloc_flags.DEVICEMAP
        raw = self._driver.pagelocked_empty((max(nbytes, 1),), np.uint8, mem_flags=flags)
        raw.fill(0)
        array: NDArray[Any] = raw[:nbytes].view(kind).reshape(shape)
        return array

    def mapped(self, array: NDArray[Any]) -> int:
        """The device's address of an array that `pinned` made."""
        owner: Any = array
        while not hasattr(owner, "get_device_pointer"):
            owner = owner.base
        return int(owner.get_device_pointer())

    def device(self, nbytes: int) -> DeviceBuffer:
        return DeviceBuffer(self._driver.mem_alloc(max(nbytes, 1)), nbytes)

    def copy_in(self, buffer: DeviceBuffer, array: NDArray[Any], stream: Stream) -> None:
        """Enqueued, not awaited; `array` is pinned and contiguous."""
        self._driver.memcpy_htod_async(buffer.raw, array, stream.raw)

    def copy_out(self, array: NDArray[Any], buffer: DeviceBuffer, stream: Stream) -> None:
        self._driver.memcpy_dtoh_async(array, buffer.raw, stream.raw)

    def copy_across(self, to: DeviceBuffer, source: DeviceBuffer, stream: Stream) -> None:
        """All of `source`, from device memory to device memory."""
        self._driver.memcpy_dtod_async(to.raw, source.raw, source.nbytes, stream.raw)

    def capture(self, stream: Stream, enqueue: Callable[[], None]) -> graphs.Graph:
        """What `enqueue` puts on the stream, as a graph; nothing of it runs yet.

        Raises CaptureFailed, with the stream usable as before; a DeviceFault of `enqueue` counts as that too.
        """
        return graphs.capture(stream.handle, enqueue, self.failures)

    def fault(self, error: Exception) -> Exception:
        """What one of `failures` means to a task: MemoryError or DeviceFault."""
        if isinstance(error, self._driver.MemoryError):
            free, total = self.memory()
            return MemoryError(f"CUDA has no memory left: {error} ({free >> 20} of {total >> 20} MiB are free)")
        return DeviceFault(f"CUDA failed: {error}", where=self.name, hint="see dmesg for NVRM or nvgpu messages")

    def close(self) -> None:
        """Gives the context back. What was made in it must be gone; harmless when repeated.

        The context's own memory comes back too, unless CUDA's runtime is in this process, which holds it until the end.
        """
        if self._context is not None:
            atexit.unregister(self.close)
            context, self._context = self._context, None
            context.pop()
            context.detach()  # what pycuda's destructor does with a primary context releases nothing
            _pop_current()  # detach makes it current once more


def is_usable() -> bool:
    """Whether there is a GPU that pycuda can open; takes no context."""
    try:
        driver = _driver()
    except DeviceFault:
        return False
    try:
        driver.init()
        return bool(driver.Device.count() > 0)
    except driver.Error:
        return False


def _driver() -> Any:
    try:
        return importlib.import_module("pycuda.driver")
    except (ImportError, OSError) as error:  # the driver's own library may be what is missing
        hint = _NO_DRIVER if "libcuda" in str(error) else _NO_PYCUDA
        raise DeviceFault(f"pycuda does not import: {error}", where="cuda", hint=hint) from error


def _set_schedule(device: int, wait: Wait) -> None:
    """How the host waits in calls of the context itself. pycuda has no call for it; events wait as they were made.

    An older driver refuses this for a context that is in use already, and then leaves it as it is.
    """
    ctypes.CDLL("libcuda.so.1").cuDevicePrimaryCtxSetFlags_v2(device, _SCHEDULE[wait])


def _pop_current() -> None:
    ctypes.CDLL("libcuda.so.1").cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
