"""From a task's options to an IBuilderConfig, and how much memory a builder may take where others need it too."""

from types import ModuleType
from typing import TYPE_CHECKING, Any

from agent.runtime.tensorrt.log import BuilderLog
from agent.runtime.tensorrt.options import Pools
from agent.runtime.tensorrt.precision import PrecisionPlan
from jetfleet.errors import BadInput
from jetfleet.options import OptionValues
from jetfleet.tensorrt import since_which

if TYPE_CHECKING:
    import tensorrt as trt

_MIB = 1 << 20
_LEAST = 64 * _MIB


def safe_pools(pools: Pools, available_bytes: int | None) -> Pools:
    """Limits for a GPU that shares its memory with the host, where the job sets none of its own.

    TensorRT's defaults are shares of the whole memory, not of what is free: all of it as workspace, 75 % of it to try
    tactics in. On a board of 8 GB the kernel then kills the build. A quarter of what is available is a workspace that
    few layers are slower for. Half of it is for all that TensorRT takes on the device while it tries tactics, weights
    included; the rest is the host's: the graph, its weights again, the plan.
    `available_bytes` is None for a GPU with memory of its own: there the defaults are good.
    """
    if available_bytes is None:
        return pools
    workspace = max(_LEAST, available_bytes // 4)
    tactic_dram = max(_LEAST, available_bytes // 2)
    return Pools(
        workspace=pools.workspace or workspace // _MIB * _MIB,
        tactic_dram=pools.tactic_dram or tactic_dram // _MIB * _MIB,
        dla_managed_sram=pools.dla_managed_sram,
        dla_local_dram=pools.dla_local_dram,
        dla_global_dram=pools.dla_global_dram,
    )


def configure(trt: ModuleType, config: "trt.IBuilderConfig", options: OptionValues, lowered: PrecisionPlan) -> None:
    """Sets what the options and the precision say. Raises BadInput for an option that this TensorRT does not have."""
    if (level := options.number("builder_optimization_level")) is not None:
        config.builder_optimization_level = level
    if (streams := options.number("max_aux_streams")) is not None:
        config.max_aux_streams = streams
    if (iterations := options.number("avg_timing_iterations")) is not None:
        config.avg_timing_iterations = iterations
    _set_verbosity(trt, config, options.word("profiling_verbosity"))
    _set_compatibility(trt, config, options.word("hardware_compatibility"))
    _set_flag(config, trt.BuilderFlag.TF32, on=lowered.tf32)  # on by default: an fp32 engine would not be one
    _set_flag(config, trt.BuilderFlag.SPARSE_WEIGHTS, on=options.is_on("sparsity"))
    _set_flag(config, trt.BuilderFlag.REFIT, on=options.is_on("refit"))
    _set_flag(config, trt.BuilderFlag.VERSION_COMPATIBLE, on=options.is_on("version_compatible"))
    _set_precision(trt, config, lowered)


def place_on_dla(trt: ModuleType, config: "trt.IBuilderConfig", *, gpu_fallback: bool) -> None:
    """All layers on the DLA by default; an engine built for one core is loaded on any."""
    config.default_device_type = trt.DeviceType.DLA
    config.DLA_core = 0
    _set_flag(config, trt.BuilderFlag.GPU_FALLBACK, on=gpu_fallback)


def _set_precision(trt: ModuleType, config: "trt.IBuilderConfig", lowered: PrecisionPlan) -> None:
    fp16, int8 = getattr(trt.BuilderFlag, "FP16", None), getattr(trt.BuilderFlag, "INT8", None)
    for name, flag in (("FP16", fp16), ("INT8", int8)):
        if name in lowered.flags and flag is not None:
            config.set_flag(flag)


def set_pools(trt: ModuleType, config: "trt.IBuilderConfig", pools: Pools, builder_log: BuilderLog) -> None:
    """A limit that TensorRT does not take is a warning: an error of its own, which explains nothing that fails later.

    Out of its bounds it leaves a pool alone, and goes on.
    """
    with builder_log.aside():
        for name, limit in pools.limits().items():
            config.set_memory_pool_limit(_pool(trt, name), limit)
    for warning in _ignored_limits(trt, config, pools):
        builder_log.warn(warning)


def _ignored_limits(trt: ModuleType, config: "trt.IBuilderConfig", pools: Pools) -> list[str]:
    found = {
        name: (limit, int(config.get_memory_pool_limit(_pool(trt, name)))) for name, limit in pools.limits().items()
    }
    return [
        f"TensorRT does not take {limit} bytes for {name}: it stays at {now}"
        for name, (limit, now) in found.items()
        if now != limit
    ]


def _pool(trt: ModuleType, name: str) -> Any:
    kinds = {
        "WORKSPACE": trt.MemoryPoolType.WORKSPACE,
        "TACTIC_DRAM": trt.MemoryPoolType.TACTIC_DRAM,
        "DLA_MANAGED_SRAM": trt.MemoryPoolType.DLA_MANAGED_SRAM,
        "DLA_LOCAL_DRAM": trt.MemoryPoolType.DLA_LOCAL_DRAM,
        "DLA_GLOBAL_DRAM": trt.MemoryPoolType.DLA_GLOBAL_DRAM,
    }
    return kinds[name]


def _set_verbosity(trt: ModuleType, config: "trt.IBuilderConfig", name: str) -> None:
    levels = {
        "detailed": trt.ProfilingVerbosity.DETAILED,
        "layer_names_only": trt.ProfilingVerbosity.LAYER_NAMES_ONLY,
        "none": trt.ProfilingVerbosity.NONE,
    }
    config.profiling_verbosity = levels[name]


def _set_compatibility(trt: ModuleType, config: "trt.IBuilderConfig", name: str) -> None:
    if name in ("", "none"):
        return
    levels = {
        "ampere_plus": trt.HardwareCompatibilityLevel.AMPERE_PLUS,
        "same_compute_capability": getattr(trt.HardwareCompatibilityLevel, "SAME_COMPUTE_CAPABILITY", None),
    }
    if levels[name] is None:
        since = since_which("same_compute_capability")
        raise BadInput(
            f"TensorRT {trt.__version__} does not know {name}",
            where="options.hardware_compatibility",
            expected=f"none, ampere_plus; same_compute_capability from TensorRT {since} on",
        )
    config.hardware_compatibility_level = levels[name]


def _set_flag(config: "trt.IBuilderConfig", flag: "trt.BuilderFlag", *, on: bool) -> None:
    if on:
        config.set_flag(flag)
    else:
        config.clear_flag(flag)
