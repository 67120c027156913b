"""The one list of circumstances that are a measurement's own: read or chosen while it ran, beside its device's facts.

What an agent fills, the controller stores and compares by, and every view shows derives from it. A value is a text; one
that is absent does not apply, and one that could not be read is UNKNOWN.
"""

from dataclasses import dataclass

from jetfleet.board_settings import POWER_MODE

UNKNOWN = "unknown"
LOCKED = "locked"  # how a clock that was locked begins; "locked at 918 MHz" where it is told at what
GPU_CLOCKS, CPU_CLOCKS, EMC_CLOCKS = "gpu_clocks", "cpu_clocks", "emc_clocks"
ZERO_COPY, INFLIGHT, PIPELINE, SOAK = "zero_copy", "inflight", "pipeline", "soak"
CUDA_GRAPH = "cuda_graph"
STREAMS, ARRIVALS, DEADLINE = "streams", "arrivals", "deadline"


@dataclass(frozen=True)
class Circumstance:
    """`otherwise` is what a measurement was under that does not say."""

    name: str
    meaning: str
    otherwise: str = UNKNOWN


BOARD = (Circumstance(POWER_MODE, "the power mode that was in force, by nvpmodel's name; else the device's fact"),)
CLOCKS = (
    Circumstance(GPU_CLOCKS, "the GPU's clock: locked at N MHz, free within a range, or unknown"),
    Circumstance(CPU_CLOCKS, "the CPUs' clocks, likewise"),
    Circumstance(EMC_CLOCKS, "the clock of a Jetson's memory, likewise; mostly only root may read it"),
)
# How the loop ran: these decide what the stages mean.
MANNER = (
    Circumstance(ZERO_COPY, "whether the GPU worked on the host's memory, and nothing was copied: on or off", "off"),
    Circumstance(INFLIGHT, "inferences enqueued at a time: 1, or 2 as trtexec has", "1"),
    Circumstance(CUDA_GRAPH, "whether the launches of an inference were replayed as a CUDA graph: on or off", "off"),
    Circumstance(PIPELINE, "the steps around the engine, which share its caches and clocks", "off"),
    Circumstance(STREAMS, "inferences in flight, each in a stream or on a CPU a thread of its own", "1"),
    Circumstance(ARRIVALS, "when inputs arrived: N Hz, fixed or poisson; none: when the last was answered", "none"),
    Circumstance(DEADLINE, "by when an arrival was to be answered, in ms", "none"),
    Circumstance(
        SOAK,
        "whether it worked before it was timed until its temperature was steady: on, not steady in time, or off",
        "off",
    ),
)
CIRCUMSTANCES = (*BOARD, *CLOCKS, *MANNER)
NAMES = tuple(item.name for item in CIRCUMSTANCES)
OTHERWISE = {item.name: item.otherwise for item in CIRCUMSTANCES}
