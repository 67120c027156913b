"""What this machine reaches at best as the agent measures it, three times over, and beside it what others reach.

Of the CPU by ONNX Runtime; of an NVIDIA GPU copies by CUDA events and products of matrices by each runtime that builds
engines there. A ceiling that repeats badly would make a roofline of noise: the spread has a bar. Where torch has CUDA,
its own products and copies stand beside: a ceiling far below is none. A part that cannot run is a line that says why.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from agent.runtime.base import Runtime
from agent.runtime.gpu.copies import MOST_BYTES, copy_bytes, copy_gb_per_s
from agent.runtime.gpu.cuda import Cuda, is_usable
from agent.runtime.onnxruntime.ceilings import measure_ceilings
from agent.runtime.onnxruntime.options import session_options
from agent.runtime.registry import open_runtime, versions
from agent.work.ceilings import product_rate
from benchmarks.figure import Figure, main
from benchmarks.gpu import part
from benchmarks.processes import scratch
from jetfleet.metrics import UNITS
from jetfleet.v1.task_pb2 import PRECISION_FP16, PRECISION_FP32, PRECISION_INT8, PRECISION_TF32

_TIMES = 3
_SPREAD = 5.0  # percent, of the largest above the smallest
_NEAR = 0.6  # of what torch reaches with the same product
_SIDE, _TINY_SIDE = 4096, 256
_PRECISIONS = {"fp32": PRECISION_FP32, "tf32": PRECISION_TF32, "fp16": PRECISION_FP16, "int8": PRECISION_INT8}


def ceilings(tiny: bool) -> Iterator[Figure]:
    yield from part("ceilings of the CPU", _cpu)
    if not is_usable():
        sys.stderr.write("ceilings: of a GPU not measured, this machine has none with pycuda\n")
        return
    peers = _torch()
    yield from part("copies on the GPU", lambda: _copies(tiny, peers))
    side = _TINY_SIDE if tiny else _SIDE
    for name in _gpu_runtimes():
        for word in _PRECISIONS:
            yield from part(f"products in {word} by {name}", partial(_products, name, word, side, peers))


def _gpu_runtimes() -> list[str]:
    found = versions()
    onnx = ["onnxruntime"] if "onnxruntime_cuda" in found else []
    return [*onnx, *(name for name in ("tensorrt", "tensorrt_rtx") if name in found)]


def _cpu() -> Iterator[Figure]:
    found = [measure_ceilings(session_options({}), int8=True) for _ in range(_TIMES)]
    for metric in found[0].rates:
        yield from _figures(f"CPU: {metric}", UNITS[metric], [item.rates[metric] for item in found], note=found[0].how)


def _copies(tiny: bool, torch: Any) -> Iterator[Figure]:
    with closing(Cuda.open()) as cuda:
        nbytes = min(copy_bytes(cuda), MOST_BYTES // 64 if tiny else MOST_BYTES)
        rates = [copy_gb_per_s(cuda, nbytes) for _ in range(_TIMES)]
        yield from _figures(f"{cuda.name}: copies of {nbytes >> 20} MiB", "GB/s", rates, bar=not tiny)
    if torch is not None:
        yield from _beside("copies", "GB/s", median(rates), _torch_copies(torch, nbytes), bar=not tiny)


def _products(name: str, word: str, side: int, torch: Any) -> Iterator[Figure]:
    """Raises what the agent counts as: this runtime does not multiply in that type."""
    runtime: Runtime = open_runtime(name)
    rates = []
    with scratch() as folder:
        for number in range(_TIMES):
            (attempt := Path(folder) / str(number)).mkdir()
            rates.append(product_rate(runtime, _PRECISIONS[word], side, attempt))
    what, unit = f"{word} products of {side} x {side} by {name}", "GOP/s" if word == "int8" else "GFLOP/s"
    bar = side == _SIDE
    yield from _figures(what, unit, rates, bar=bar)
    if torch is not None and word != "int8":
        yield from _beside(what, unit, median(rates), _torch_products(torch, word, side), bar=bar)


def _figures(what: str, unit: str, rates: list[float], *, bar: bool = False, note: str = "") -> Iterator[Figure]:
    yield Figure(what, median(rates), unit, note=note or f"median of {len(rates)}")
    spread = (max(rates) / min(rates) - 1) * 100
    yield Figure(f"{what}: largest above smallest", spread, "%", at_most=_SPREAD if bar else None)


def _beside(what: str, unit: str, ours: float, theirs: float, *, bar: bool) -> Iterator[Figure]:
    yield Figure(f"{what}: the same by torch", theirs, unit)
    yield Figure(f"{what}: the agent's, as a share of torch's", ours / theirs, "", at_least=_NEAR if bar else None)


def _torch() -> Any:
    """torch where it has a GPU, else None."""
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError):
        return None
    return torch if torch.cuda.is_available() else None


def _torch_copies(torch: Any, nbytes: int) -> float:
    source, to = (torch.empty(nbytes, dtype=torch.uint8, device="cuda") for _ in range(2))
    return 2 * nbytes / _best_ms(torch, lambda: to.copy_(source)) / 1e6


def _torch_products(torch: Any, word: str, side: int) -> float:
    torch.backends.cuda.matmul.allow_tf32 = word == "tf32"
    kind = torch.float16 if word == "fp16" else torch.float32
    x, w = (torch.randn(side, side, device="cuda").to(kind) for _ in range(2))
    return 2 * side**3 / _best_ms(torch, lambda: torch.matmul(x, w)) / 1e6


def _best_ms(torch: Any, work: Callable[[], object], *, rounds: int = 20) -> float:
    marks = [tuple(torch.cuda.Event(enable_timing=True) for _ in range(2)) for _ in range(rounds + 1)]
    for begin, end in marks:
        begin.record()
        work()
        end.record()
    torch.cuda.synchronize()
    return min(float(begin.elapsed_time(end)) for begin, end in marks[1:])


if __name__ == "__main__":
    main("ceilings", ceilings)
