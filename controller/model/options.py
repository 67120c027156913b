"""Options of a variant by who heeds them: the planner, the builder, the run.

An engine's recipe holds only what the builder heeds, so that jobs that differ in the rest share the engine.
"""

from collections.abc import Mapping

from jetfleet.placement import Placement

LOWERING = "lowering"  # how a precision reaches the engine: settled by the planner, never sent to an agent
TYPED, FLAGS = "typed", "flags"
TIMING_CACHE, COLD = "timing_cache", "cold"

RUN_OPTIONS = frozenset({"cuda_graph", "wait", "zero_copy"})  # of a GPU, all of them
DLA_OPTIONS = frozenset(
    {"dla_managed_sram_kib", "dla_local_dram_mib", "dla_global_dram_mib", "dla_require", "gpu_fallback"}
)
_FREE = "simulated"  # a made-up runtime's options are its own, whatever they are called


def build_options(options: Mapping[str, str], *, runtime: str, placement: str) -> dict[str, str]:
    """What decides an engine; `placement` is one part, like gpu or dla."""
    if runtime == _FREE:
        return dict(options)
    idle = {LOWERING, *RUN_OPTIONS} | (set() if Placement(placement).is_dla else DLA_OPTIONS)
    return {name: value for name, value in options.items() if name not in idle}


def run_options(options: Mapping[str, str], *, runtime: str, placement: str) -> dict[str, str]:
    """What a subject on `placement` is run with."""
    if runtime == _FREE:
        return dict(options)
    idle = {LOWERING} | (RUN_OPTIONS if Placement(placement).is_cpu else set())
    return {name: value for name, value in options.items() if name not in idle}
