"""A task's options for TensorRT, read: what decides the engine, in TensorRT's own words and units. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from jetfleet.option_kinds import Audience
from jetfleet.options import OptionValues, read_options

_KIB, _MIB = 1 << 10, 1 << 20
# Every pool has an option of its name and unit.
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


def read_build_options(options: Mapping[str, str], runtime: str) -> OptionValues:
    """Raises BadInput, with what, where and expected, for an option that is unknown or cannot be used."""
    return read_options(options, runtime, Audience.BUILDER, Audience.DLA_BUILDER)


def pools_of(options: OptionValues) -> Pools:
    limits = {option: options.number(option) for option in _POOLS}
    return Pools(
        **{option.rpartition("_")[0]: limit * _POOLS[option] for option, limit in limits.items() if limit is not None}
    )
