"""Questions that CUDA and NVML answer, asked through ctypes: memory, launches, graphs, and what the driver supports."""

import contextlib
import ctypes
import time
from collections.abc import Callable
from pathlib import Path

from agent.device.cudadriver import CudaDriver, CudaError
from agent.doctor.check import CheckContext
from agent.doctor.settle.cuda_context import available_bytes, memory_bytes, opened
from agent.doctor.settle.question import Question

_MIB, _GIB = 1 << 20, 1 << 30
_ATTRIBUTES = {
    "integrated": 18,
    "maps host memory": 19,
    "managed memory": 83,
    "pageable access": 88,
    "concurrent managed access": 89,
    "host registration": 99,
}
_COPY_BYTES = 64 * _MIB
_LAUNCHES = 500
_NVML = {
    "power": ("nvmlDeviceGetPowerUsage", 1),
    "energy": ("nvmlDeviceGetTotalEnergyConsumption", 2),
    "SM clock": ("nvmlDeviceGetClockInfo", 1),
    "utilisation": ("nvmlDeviceGetUtilizationRates", 2),
    "memory": ("nvmlDeviceGetMemoryInfo", 4),
    "temperature": ("nvmlDeviceGetTemperature", 1),
}
_NVML_CODES = {0: "ok", 2: "invalid argument", 3: "not supported", 4: "no permission", 13: "no such function"}


def initialisation(context: CheckContext) -> str:
    try:
        device = CudaDriver().first_device()
    except (OSError, AttributeError) as error:
        return f"the library does not load: {error}"
    except CudaError as error:
        return f"{error}"
    with opened() as cuda:
        found = ", ".join(f"{name} {cuda.attribute(number)}" for name, number in _ATTRIBUTES.items())
    memory = f"{device.memory_bytes / _GIB:.2f} GiB"
    named = f"{device.name}, CC {device.compute_capability}, {device.sm_count} SMs, {memory}, CUDA {device.cuda}"
    return f"0 (success): {named}; {found}"


def nvml(context: CheckContext) -> str:
    """The code of each query: on Orin the library starts, and then supports next to nothing."""
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return "the library is not here"
    if code := library.nvmlInit_v2():
        return f"nvmlInit_v2: {_NVML_CODES.get(code, code)}"
    try:
        device, name = ctypes.c_void_p(), ctypes.create_string_buffer(96)
        if code := library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device)):
            return f"starts, no device 0: {_NVML_CODES.get(code, code)}"
        library.nvmlDeviceGetName(device, name, 96)
        answers = {what: _nvml_code(library, device, *call) for what, call in _NVML.items()}
        return f"starts, {name.value.decode(errors='replace')}: " + ", ".join(f"{k} {v}" for k, v in answers.items())
    finally:
        library.nvmlShutdown()


def _nvml_code(library: ctypes.CDLL, device: ctypes.c_void_p, function: str, words: int) -> str:
    if not hasattr(library, function):
        return "no such function"
    room = (ctypes.c_ulonglong * words)()
    kind = [ctypes.c_uint(1 if "Clock" in function else 0)] if function.endswith(("ClockInfo", "Temperature")) else []
    code = int(getattr(library, function)(device, *kind, room))
    return str(_NVML_CODES.get(code, f"error {code}"))


def pinned_memory(context: CheckContext) -> str:
    """How fast the CPU reads pinned memory against ordinary memory: much slower, if it is not cached."""
    with opened() as cuda:
        pinned, there = ctypes.c_void_p(), cuda.allocate(_COPY_BYTES)
        cuda.call("cuMemHostAlloc", ctypes.byref(pinned), ctypes.c_size_t(_COPY_BYTES), 0)
        ordinary = (ctypes.create_string_buffer(_COPY_BYTES), ctypes.create_string_buffer(_COPY_BYTES))
        ctypes.memset(pinned, 1, _COPY_BYTES)
        to, of = (ctypes.addressof(buffer) for buffer in ordinary)
        size = ctypes.c_size_t(_COPY_BYTES)
        rates = {
            "CPU reads ordinary": _rate(lambda: ctypes.memmove(to, of, _COPY_BYTES)),
            "CPU reads pinned": _rate(lambda: ctypes.memmove(to, pinned.value or 0, _COPY_BYTES)),
            "CPU writes pinned": _rate(lambda: ctypes.memmove(pinned.value or 0, of, _COPY_BYTES)),
            "to the GPU from ordinary": _rate(lambda: cuda.call("cuMemcpyHtoD_v2", there, ctypes.c_void_p(of), size)),
            "to the GPU from pinned": _rate(lambda: cuda.call("cuMemcpyHtoD_v2", there, pinned, size)),
            "from the GPU to pinned": _rate(lambda: cuda.call("cuMemcpyDtoH_v2", pinned, there, size)),
        }
        cuda.call("cuMemFreeHost", pinned)
        cuda.call("cuMemFree_v2", there)
    slower = rates["CPU reads ordinary"] / rates["CPU reads pinned"]
    verdict = "not cached" if slower > 2.5 else "cached"
    return f"{verdict} (read {slower:.1f} times slower); " + ", ".join(f"{k} {v:.1f} GB/s" for k, v in rates.items())


def _rate(copy: Callable[[], object]) -> float:
    """GB/s, the best of three."""
    best = float("inf")
    for _ in range(3):
        begin = time.perf_counter()
        copy()
        best = min(best, time.perf_counter() - begin)
    return _COPY_BYTES / best / 1e9


def launches(context: CheckContext) -> str:
    """An empty kernel between two events on an idle stream, and in a train of them: the difference is the launch's."""
    with opened() as cuda:
        kernel, begin, end = cuda.kernel(), cuda.event(), cuda.event()
        alone, host = [], []
        for _ in range(_LAUNCHES):
            cuda.wait()
            cuda.record(begin)
            started = time.perf_counter()
            cuda.launch(kernel)
            host.append((time.perf_counter() - started) * 1e6)
            cuda.record(end)
            cuda.wait()
            alone.append(cuda.between_us(begin, end))
        cuda.record(begin)
        for _ in range(_LAUNCHES):
            cuda.launch(kernel)
        cuda.record(end)
        cuda.wait()
        train = cuda.between_us(begin, end) / _LAUNCHES
    return f"alone p50 {_median(alone):.1f} us, in a train {train:.1f} us each, host's call p50 {_median(host):.1f} us"


def graph(context: CheckContext) -> str:
    with opened() as cuda:
        kernel, begin, end = cuda.kernel(), cuda.event(), cuda.event()
        captured, ready = ctypes.c_void_p(), ctypes.c_void_p()
        cuda.call("cuStreamBeginCapture_v2", cuda.stream, 1)  # thread-local
        for _ in range(_LAUNCHES):
            cuda.launch(kernel)
        cuda.call("cuStreamEndCapture", cuda.stream, ctypes.byref(captured))
        cuda.call("cuGraphInstantiateWithFlags", ctypes.byref(ready), captured, ctypes.c_ulonglong(0))
        cuda.call("cuGraphLaunch", ready, cuda.stream)
        cuda.wait()
        cuda.record(begin)
        cuda.call("cuGraphLaunch", ready, cuda.stream)
        cuda.record(end)
        cuda.wait()
        each = cuda.between_us(begin, end) / _LAUNCHES
    return f"captured, made and launched; {each:.2f} us for each of {_LAUNCHES} empty kernels"


def allocation(context: CheckContext) -> str:
    """Allocates until CUDA refuses, but leaves the system a reserve; should memory run out, this child dies."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    before, cached = available_bytes(), memory_bytes("Cached")
    reserve, step, until = max(_GIB, before // 8), 64 * _MIB, time.monotonic() + 8.0
    with opened() as cuda:
        free, end = cuda.free_bytes(), "the most that is asked for here"
        pointers: list[ctypes.c_uint64] = []
        while len(pointers) * step < 16 * _GIB and time.monotonic() < until:
            if available_bytes() < reserve:
                end = f"stopped, to leave {reserve / _GIB:.1f} GiB"
                break
            try:
                pointers.append(cuda.allocate(step))
            except CudaError as error:
                end = f"refused: {error}"
                break
        least = available_bytes()
        for pointer in pointers:
            cuda.call("cuMemFree_v2", pointer)
    got = len(pointers) * step
    told = (before, cached, free, got, least)
    first, cache, said, taken, left = (f"{size / _GIB:.2f} GiB" for size in told)
    return (
        f"MemAvailable {first}, of which page cache up to {cache}; CUDA says {said} free; got {taken} ({end}); "
        f"MemAvailable then {left}"
    )


def release(context: CheckContext) -> str:
    """MemAvailable, and on another GPU than a Jetson's its own free memory, around a context's life."""
    steps = {"before": available_bytes()}
    with opened() as cuda:
        free = [cuda.free_bytes()]
        pointer = cuda.allocate(256 * _MIB)
        free.append(cuda.free_bytes())
        steps["with 256 MiB"] = available_bytes()
        cuda.call("cuMemFree_v2", pointer)
        steps["freed"] = available_bytes()
        free.append(cuda.free_bytes())
    steps["context released"] = available_bytes()
    with opened() as cuda:
        free.append(cuda.free_bytes())
    shown = ", ".join(f"{name} {value / _MIB:.0f}" for name, value in steps.items())
    return f"MemAvailable in MiB: {shown}; CUDA's free memory: {', '.join(f'{value / _MIB:.0f}' for value in free)}"


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


QUESTIONS = (
    Question("NVML", "which queries does it answer?", "code of each query", nvml, needs="gpu", live=True),
    Question(
        "cuInit",
        "what does it answer, and which memory does CUDA have?",
        "cuInit, attributes",
        initialisation,
        needs="gpu",
        live=True,
        limit_s=30,
    ),
    Question(
        "pinned memory", "does the CPU cache it?", "64 MiB copied", pinned_memory, needs="gpu", live=True, limit_s=15
    ),
    Question(
        "launch gap",
        "how long is a kernel's launch on an idle stream, beside that in a train?",
        f"{_LAUNCHES} empty kernels between events",
        launches,
        needs="gpu",
        live=True,
        limit_s=15,
    ),
    Question("CUDA graph", "can kernels be captured?", "a graph of empty kernels", graph, needs="gpu", live=True),
    Question(
        "context release",
        "does releasing the primary context give its memory back?",
        "MemAvailable around it",
        release,
        needs="gpu",
        live=True,
    ),
    Question(
        "allocation",
        "how much of MemAvailable can CUDA allocate?",
        "64 MiB at a time, leaving a reserve",
        allocation,
        needs="gpu",
        live=True,
        limit_s=15,
    ),
)
