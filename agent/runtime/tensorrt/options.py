"""A task's options for TensorRT, read: what decides the engine, in TensorRT's own words and units. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from agent.runtime.base import refuse_unknown_options
from jetfleet.errors import BadInput

_KIB, _MIB = 1 << 10, 1 << 20
_SMALLEST_DLA_POOL = 4 * _KIB
_CHOICE = ("off", "on")
_POOLS = {
    "workspace_mib": _MIB,
    "tactic_dram_mib": _MIB,
    "dla_managed_sram_kib": _KIB,
    "dla_local_dram_mib": _MIB,
    "dla_global_dram_mib": _MIB,
}


@dataclass(frozen=True)
class Pools:
    """Limits of TensorRT's memory pools in bytes, by the lower-case name of the pool; None: its own default."""

    workspace: int | None = None
    tactic_dram: int | None = None
    dla_managed_sram: int | None = None
    dla_local_dram: int | None = None
    dla_global_dram: int | None = None

    def limits(self) -> dict[str, int]:
        """Those that are set, by TensorRT's name of the pool."""
        named = {field.name.upper(): getattr(self, field.name) for field in fields(self)}
        return {name: limit for name, limit in named.items() if limit is not None}


@dataclass(frozen=True)
class BuildOptions:
    """Whatever is None is left as TensorRT has it."""

    pools: Pools = Pools()
    builder_optimization_level: int | None = None
    avg_timing_iterations: int = 8  # trtexec's; TensorRT's own 1 picks kernels by chance
    max_aux_streams: int | None = None
    sparsity: bool = False
    refit: bool = False
    version_compatible: bool = False
    gpu_fallback: bool = True
    dla_require_full: bool = False
    cold: bool = False
    profiling_verbosity: str = "DETAILED"
    hardware_compatibility: str = "NONE"


BUILD_OPTIONS = frozenset(
    {
        *_POOLS,
        *("builder_optimization_level", "avg_timing_iterations", "max_aux_streams"),
        *("sparsity", "refit", "version_compatible", "gpu_fallback", "dla_require", "timing_cache"),
        *("profiling_verbosity", "hardware_compatibility"),
    }
)


def read_options(options: Mapping[str, str], runtime: str) -> BuildOptions:
    """Raises BadInput, with what, where and expected, for an option that is unknown or cannot be used."""
    refuse_unknown_options(options, BUILD_OPTIONS, runtime)
    level = _number(options, "builder_optimization_level", 0, 5)
    iterations = _number(options, "avg_timing_iterations", 1, 1000)
    verbosity = _choice(options, "profiling_verbosity", ("detailed", "layer_names_only", "none"))
    compatible = _choice(options, "hardware_compatibility", ("none", "ampere_plus", "same_compute_capability"))
    return BuildOptions(
        pools=_pools(options),
        builder_optimization_level=level,
        avg_timing_iterations=BuildOptions.avg_timing_iterations if iterations is None else iterations,
        max_aux_streams=_number(options, "max_aux_streams", 0, 64),
        sparsity=_choice(options, "sparsity", _CHOICE) == "on",
        refit=_choice(options, "refit", _CHOICE) == "on",
        version_compatible=_choice(options, "version_compatible", _CHOICE) == "on",
        gpu_fallback=_choice(options, "gpu_fallback", ("on", "off")) == "on",
        dla_require_full=_choice(options, "dla_require", ("partial", "full")) == "full",
        cold=_choice(options, "timing_cache", ("on", "cold")) == "cold",
        profiling_verbosity=verbosity.upper(),
        hardware_compatibility=compatible.upper(),
    )


def _pools(options: Mapping[str, str]) -> Pools:
    found: dict[str, int] = {}
    for option, unit in _POOLS.items():
        number = _number(options, option, 1, 1 << 20)
        if number is None:
            continue
        size = number * unit
        if option.startswith("dla_") and (size & (size - 1) or size < _SMALLEST_DLA_POOL):
            raise BadInput(
                f"{number} is no size for a DLA's memory",
                where=f"options.{option}",
                expected="a power of two, >= 4 KiB",
            )
        found[option.rsplit("_", 1)[0]] = size
    return Pools(**found)


def _number(options: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
        raise BadInput(
            f"{text!r} cannot be used", where=f"options.{name}", expected=f"a whole number {least} to {most}"
        )
    return int(text)


def _choice(options: Mapping[str, str], name: str, choices: Sequence[str]) -> str:
    """The first choice is the default."""
    found = options.get(name, choices[0])
    if found not in choices:
        raise BadInput(f"{found!r} is not a choice", where=f"options.{name}", expected=", ".join(choices))
    return found
