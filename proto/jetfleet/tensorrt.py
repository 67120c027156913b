"""What each TensorRT release can do: one table that both halves read. Pure.

It holds what NVIDIA documents by version (support matrices, migration guides, release notes). On a board the agent also
asks the bindings by name, and where both speak the bindings win; a test holds the table and the released bindings
together.
"""

import re
from dataclasses import dataclass

from jetfleet.modules import AGX_ORIN, ORIN
from jetfleet.releases import jetpack_of, l4t_number

SUPPORTED = "8.6, 10 and 11"
DLA_HISTORY = "10.7 was the last; 11.4.1 on AGX Orin brings it back"
DLA_RELEASES = "TensorRT up to 10.7 (JetPack 6), or 11.4.1 and later on AGX Orin"
DLA_PRECISIONS = ("fp16", "int8")
NO_FALLBACK_INT8 = (
    "gpu_fallback: off takes fp16 alone by builder flags: int8 inputs and outputs need scales, which calibration finds "
    "only in the build"
)
NO_FALLBACK_TYPED = (
    "gpu_fallback: off needs float16 inputs and outputs in a strongly typed network: a cast from float32 is the GPU's"
)
NO_DLA_GRAPH = "cuda_graph: a CUDA graph records what a GPU is given, and nobody documents that it records a DLA"
_VERSION = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True)
class DlaSupport:
    """`modules`: the only ones, by how their ids begin; empty: all with DLA cores. `since_l4t`: empty: any release."""

    modules: tuple[str, ...] = ()
    since_l4t: str = ""


@dataclass(frozen=True)
class ReleaseLine:
    """The releases from `since` up to the next line.

    `typed`: strongly typed networks. `weak`: precision flags of the builder, and with them its calibrator; a DLA then
    runs nothing without such a flag. `opset`: the newest one that the ONNX parser documents; None: not known here.
    `qdq_fails_on`: compute capabilities where building a Q/DQ graph is known to fail. `sbsa_without`: those that the
    build for servers (SBSA) has no code for, while an image for integrated GPUs may have.
    """

    since: tuple[int, ...]
    supported: bool = True
    typed: bool = True
    weak: bool = True
    dla: DlaSupport | None = None
    opset: int | None = 20
    progress_monitor: bool = True
    same_compute_capability: bool = False  # a level of hardware compatibility
    qdq_fails_on: tuple[str, ...] = ()
    sbsa_without: tuple[str, ...] = ()


_EVERY_DLA = DlaSupport()
_ORIN_CODE = (ORIN.compute_capability,)
_DLA_AGAIN = DlaSupport((AGX_ORIN,), "39.2.2")
LINES = (
    ReleaseLine((0,), supported=False, typed=False, dla=_EVERY_DLA, opset=None, progress_monitor=False),
    ReleaseLine((8, 6), typed=False, dla=_EVERY_DLA, opset=17, progress_monitor=False),
    # No JetPack has it: 8.6 was followed by 10.
    ReleaseLine((9,), supported=False, typed=False, dla=_EVERY_DLA, opset=19, progress_monitor=False),
    ReleaseLine((10,), dla=_EVERY_DLA),
    ReleaseLine((10, 8)),
    # NVIDIA's images for Orin held these releases too, to 26.02; the first SBSA build with its code is 10.16.1.
    ReleaseLine((10, 13), same_compute_capability=True, sbsa_without=_ORIN_CODE),
    ReleaseLine((10, 15), same_compute_capability=True, opset=24, sbsa_without=_ORIN_CODE),
    ReleaseLine((10, 16, 1), same_compute_capability=True, opset=24),
    # NVIDIA/TensorRT#4832: what fails on an Orin builds on a Thor.
    ReleaseLine((10, 16, 2), same_compute_capability=True, opset=24, qdq_fails_on=_ORIN_CODE),
    ReleaseLine((11,), weak=False, same_compute_capability=True, opset=24),
    ReleaseLine((11, 4, 1), weak=False, same_compute_capability=True, opset=24, dla=_DLA_AGAIN),
    ReleaseLine((12,), weak=False, same_compute_capability=True, opset=None, dla=_DLA_AGAIN),  # newer than this table
)
NEWEST_OPSET = max(line.opset or 0 for line in LINES)
# TensorRT for RTX counts its versions anew; for desktop GPUs alone.
WORKSTATION = ReleaseLine((1,), weak=False, same_compute_capability=True, opset=NEWEST_OPSET)
WORKSTATION_CAPABILITIES = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")


def version_number(text: str) -> tuple[int, ...]:
    """`10.11.0.33+jp6` for comparing; empty for what is not a version."""
    found = _VERSION.match(text)
    return tuple(map(int, found.group().split("."))) if found else ()


def line_of(version: str) -> ReleaseLine:
    """The line that a release belongs to; what is not a version belongs to the first one, which is not supported."""
    number = version_number(version)
    return [line for line in LINES if line.since <= number or line is LINES[0]][-1]


def since_which(ability: str) -> str:
    """The first supported release with it, by the name of a line's field."""
    line = next(line for line in LINES if line.supported and getattr(line, ability))
    return ".".join(map(str, line.since))


def dla_refusal(name: str, line: ReleaseLine, *, module: str, l4t: str) -> str:
    """Why a TensorRT drives no DLA of a module on a release; empty where it does. An unknown fact refuses nothing."""
    if line.dla is None:
        return f"{name} has no DLA ({DLA_HISTORY})"
    if module and line.dla.modules and not module.startswith(line.dla.modules):
        return f"{name} drives the DLA of AGX Orin only"
    since = line.dla.since_l4t
    if since and l4t_number(l4t) and l4t_number(l4t) < l4t_number(since):
        return f"{name} drives a DLA from JetPack {jetpack_of(since)} (L4T {since}) on, and this is L4T {l4t}"
    return ""
