"""CUDA graphs, by the driver's own library: what an inference enqueues on a stream, recorded once and launched as one.

Through ctypes, because neither pycuda nor a JetPack brings them to Python. Signatures and constants are of cuda.h; all
of them are there from CUDA 11.4 on, which is JetPack 5's.
"""

import ctypes
from collections.abc import Callable
from typing import Any

from agent.runtime.base import DeviceFault
from agent.runtime.gpu.last_error import clear_last_error

LIBRARY = "libcuda.so.1"
_THREAD_LOCAL = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: what other threads do meanwhile is no part of it


class CaptureFailed(Exception):
    """What was enqueued cannot be made into a graph, in the driver's words."""


class Graph:
    """Captured work, launched as one."""

    def __init__(self, library: Any, executable: ctypes.c_void_p, stream: int) -> None:
        self._library, self._executable = library, executable
        self._launch, self._stream = library.cuGraphLaunch, ctypes.c_void_p(stream)

    def launch(self) -> None:
        """Raises DeviceFault."""
        status = self._launch(self._executable, self._stream)
        if status:
            raise DeviceFault(f"a CUDA graph was not launched: {_name(self._library, status)}")

    def close(self) -> None:
        self._library.cuGraphExecDestroy(self._executable)


def capture(stream: int, enqueue: Callable[[], None], refusals: tuple[type[Exception], ...]) -> Graph:
    """What `enqueue` puts on the stream, as a graph; nothing of it runs yet. `refusals` are what it may raise.

    Raises CaptureFailed, with the stream usable as before; a DeviceFault of `enqueue` counts as that too.
    """
    try:
        return _capture(ctypes.CDLL(LIBRARY), stream, enqueue, (DeviceFault, MemoryError, *refusals))
    except (CaptureFailed, AttributeError) as error:  # the latter: a driver without graphs
        clear_last_error()  # what the engine met in the capture would be taken for an error of its next call
        raise CaptureFailed(str(error)) from error


def _capture(library: Any, stream: int, enqueue: Callable[[], None], refusals: tuple[type[Exception], ...]) -> Graph:
    handle, graph, executable = ctypes.c_void_p(stream), ctypes.c_void_p(), ctypes.c_void_p()
    _must(library, library.cuStreamBeginCapture_v2(handle, _THREAD_LOCAL))
    refusal: Exception | None = None
    try:
        enqueue()
    except refusals as error:
        refusal = error
    ended = library.cuStreamEndCapture(handle, ctypes.byref(graph))  # always, or the stream stays in capture
    if refusal is not None:
        raise CaptureFailed(str(refusal)) from refusal
    _must(library, ended)
    try:
        _must(library, library.cuGraphInstantiateWithFlags(ctypes.byref(executable), graph, ctypes.c_uint64(0)))
    finally:
        library.cuGraphDestroy(graph)
    return Graph(library, executable, stream)


def _must(library: Any, status: int) -> None:
    if status:
        raise CaptureFailed(_name(library, status))


def _name(library: Any, status: int) -> str:
    name = ctypes.c_char_p()
    library.cuGetErrorName(status, ctypes.byref(name))
    return name.value.decode() if name.value else f"error {status}"
