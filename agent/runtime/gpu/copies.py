"""How fast a GPU moves bytes within its own memory: copies from one buffer to another, timed by CUDA events."""

from agent.runtime.base import DeviceFault
from agent.runtime.gpu.cuda import Cuda, DeviceBuffer, milliseconds

MOST_BYTES = 512 << 20  # larger than any cache of a GPU
_LEAST_BYTES = 8 << 20
_MEMORY_SHARE = 16  # of what is free, for each of the two buffers: a board's memory is its host's too
_ROUNDS, _COPIES = 5, 4


def copy_bytes(cuda: Cuda) -> int:
    """How large a copy this device has room for."""
    free, _ = cuda.memory()
    return max(_LEAST_BYTES, min(MOST_BYTES, free // _MEMORY_SHARE))


def copy_gb_per_s(cuda: Cuda, nbytes: int) -> float:
    """Bytes read and bytes written, the best of some rounds. Raises DeviceFault, MemoryError."""
    buffers: list[DeviceBuffer] = []
    try:
        for _ in range(2):
            buffers.append(cuda.device(nbytes))  # one at a time: the second may not fit
        stream, marks = cuda.stream(), [(cuda.event(), cuda.event()) for _ in range(_ROUNDS + 1)]
        for begin, end in marks:  # the first round wakes the device, and does not count
            begin.record(stream)
            for _ in range(_COPIES):
                cuda.copy_across(buffers[1], buffers[0], stream)
            end.record(stream)
        marks[-1][1].wait()
        best_ms = float(milliseconds(marks[1:]).min())
    except cuda.failures as error:
        raise cuda.fault(error) from error
    finally:
        for buffer in buffers:
            buffer.free()
    if best_ms <= 0:
        raise DeviceFault("the device's own clock says that a copy took no time", where=cuda.name)
    return 2 * nbytes * _COPIES / best_ms / 1e6
