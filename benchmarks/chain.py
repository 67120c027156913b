"""native/chain.cu from Python: built with nvcc, run as an engine of the agent's session or by its C++ loop."""

import ctypes
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.runtime.base import DeviceFault
from agent.runtime.gpu.engine import Slot

_SOURCE = Path(__file__).parent / "native" / "chain.cu"
Floats = NDArray[np.float32]
Times = NDArray[np.float64]


def nvcc() -> str | None:
    """CUDA's compiler; a Jetson has it off the PATH."""
    return shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")


def compile_chain(folder: Path, compute_capability: str) -> ctypes.CDLL:
    """Raises CalledProcessError."""
    out = folder / "libchain.so"
    architecture = f"-arch=sm_{compute_capability.replace('.', '')}"
    flags = ["-O3", architecture, "-shared", "-Xcompiler", "-fPIC"]
    subprocess.run([str(nvcc()), *flags, "-o", str(out), str(_SOURCE)], check=True)
    return ctypes.CDLL(str(out))


@dataclass(frozen=True)
class NativeTimes:
    """Milliseconds of each inference: latency and compute by CUDA events, enqueue and wall by the host's clock."""

    latency_ms: Times
    compute_ms: Times
    enqueue_ms: Times
    wall_ms: Times
    result: Floats


class Chain:
    """`depth` products of a `size` x `size` matrix with one and the same other: a GpuEngine, and the C++ loop's work.

    The spectral radius of the other is near 1, so that no chain overflows.
    """

    def __init__(self, library: ctypes.CDLL, size: int, depth: int) -> None:
        self._library, self._size = library, size
        random = np.random.default_rng(0)
        self.weights = (random.standard_normal((size, size)) / np.sqrt(size)).astype(np.float32)
        self.values = random.standard_normal((size, size)).astype(np.float32)
        self._depth = depth
        self._handle = ctypes.c_void_p()
        self._must(library.chain_open(size, depth, _pointer(self.weights), ctypes.byref(self._handle)))
        self._places: dict[str, ctypes.c_void_p] = {}
        self.inputs = [Slot("x", "float32", (size, size))]
        self.outputs = [Slot("y", "float32", (size, size))]

    def bind(self, name: str, pointer: int) -> None:
        self._places[name] = ctypes.c_void_p(pointer)

    def enqueue(self, stream: int) -> None:
        places = self._places
        self._must(self._library.chain_enqueue(self._handle, places["x"], places["y"], ctypes.c_void_p(stream)))

    def describe(self) -> dict[str, str]:
        return {"chain": f"{self._depth} products of {self._size} x {self._size}"}

    def close(self) -> None:
        self._must(self._library.chain_close(self._handle))

    def time_natively(self, count: int, *, spin: bool, inflight: int = 1) -> NativeTimes:
        """By the C++ loop with one inference in flight, or by that of trtexec's structure with two."""
        latency_ms, compute_ms, enqueue_ms, wall_ms = (np.zeros(count) for _ in range(4))
        result = np.full_like(self.values, np.nan)
        found = NativeTimes(latency_ms, compute_ms, enqueue_ms, wall_ms, result)
        times = map(_pointer, (found.latency_ms, found.compute_ms, found.enqueue_ms, found.wall_ms))
        source = _pointer(self.values), _pointer(found.result)
        loop = self._library.chain_time if inflight == 1 else self._library.chain_time_two
        self._must(loop(self._handle, *source, count, int(spin), *times))
        return found

    def expected(self) -> Times:
        """What the chain answers, in double precision on the CPU."""
        answer = self.values.astype(np.float64)
        for _ in range(self._depth):
            answer = answer @ self.weights.astype(np.float64)
        return answer

    @staticmethod
    def _must(status: int) -> None:
        if status:
            raise DeviceFault(f"CUDA error {status} in the chain")


def _pointer(array: "Floats | Times") -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
