"""What a reader of a difference must know: all in which two rows differ and that did not keep them apart."""

from controller.analysis.comparability import differences, value_of_fact
from controller.model.circumstances import SETTINGS
from controller.model.comparison import Axis
from controller.model.facts import shown
from controller.model.result import Row
from jetfleet.circumstances import CLOCKS, CUDA_GRAPH, UNKNOWN

# They differ without making numbers mean other things; who wonders about a difference wants to know of them.
_OTHER_FACTS = ("os", "kernel", "python", "container", "cudnn", "gpu_driver", "memory_bytes", "gpu_memory_bytes")


def remarks(row: Row, baseline: Row, *, by: Axis, across: frozenset[str]) -> list[str]:
    waived = set(differences(row, baseline, by=by)) if across else set[str]()
    told = [
        *axis_differences(row, baseline),
        *_fact_differences(row, baseline),
        *_unknown_clocks(row, baseline),
        *_batches(row, baseline),
    ]
    return [*sorted(waived), *(text for text in told if text not in waived)]


def axis_differences(row: Row, baseline: Row) -> list[str]:
    """Named dimensions, settings of the board, options, CUDA graphs: they never keep variants from being compared."""
    return [
        *_dim_differences(row, baseline),
        *_setting_differences(row, baseline),
        *_option_differences(row, baseline),
        *_values_that_differ(row, baseline, (CUDA_GRAPH,)),
    ]


def _dim_differences(row: Row, baseline: Row) -> list[str]:
    return [
        f"dimension {name} is {_dim(row, name)}, {_dim(baseline, name)} in the baseline"
        for name in sorted({*row.dims, *baseline.dims})
        if row.dims.get(name) != baseline.dims.get(name)
    ]


def _dim(row: Row, name: str) -> str:
    return str(row.dims.get(name, "not an axis"))


def _setting_differences(row: Row, baseline: Row) -> list[str]:
    """Power modes and clocks that the variants asked for, and that were in force."""
    return [] if row.settings == baseline.settings else _values_that_differ(row, baseline, SETTINGS)


def _values_that_differ(row: Row, baseline: Row, names: tuple[str, ...]) -> list[str]:
    return [
        f"{name} is {value_of_fact(row, name)}, {value_of_fact(baseline, name)} in the baseline"
        for name in names
        if value_of_fact(row, name) != value_of_fact(baseline, name)
    ]


def _option_differences(row: Row, baseline: Row) -> list[str]:
    """Options of different runtimes have nothing to do with each other, so all of each are told."""
    if row.runtime != baseline.runtime:
        return [*_all_options(row, ""), *_all_options(baseline, " of the baseline")]
    return [
        f"option {name} is {_option(row, name)}, {_option(baseline, name)} in the baseline"
        for name in sorted({*row.options, *baseline.options})
        if row.options.get(name) != baseline.options.get(name)
    ]


def _option(row: Row, name: str) -> str:
    return row.options.get(name, "as by default")


def _all_options(row: Row, whose: str) -> list[str]:
    found = ", ".join(f"{name} {value}" for name, value in sorted(row.options.items()))
    return [f"options{whose}: {found}"] if found else []


def _fact_differences(row: Row, baseline: Row) -> list[str]:
    """One that only one of them has is no reason for a remark: agents learn to read more with time."""
    return [
        f"{name} is {shown(row.facts[name])}, {shown(baseline.facts[name])} in the baseline"
        for name in _OTHER_FACTS
        if name in row.facts and name in baseline.facts and row.facts[name] != baseline.facts[name]
    ]


def _unknown_clocks(row: Row, baseline: Row) -> list[str]:
    """Clocks that could be read of neither: they may differ, and nobody would know."""
    names = [
        item.name
        for item in CLOCKS
        if all(UNKNOWN in each.measurement.circumstances.get(item.name, "") for each in (row, baseline))
    ]
    return [f"{', '.join(names)} unknown in both: the difference may be theirs"] if names else []


def _batches(row: Row, baseline: Row) -> list[str]:
    above, below = row.measurement.p50_ms.value, baseline.measurement.p50_ms.value
    if row.batch == baseline.batch or not above or not below:
        return []
    whole = f"one inference, the whole batch, takes {above / below:.3f} times as long"
    return [f"batch {row.batch} against {baseline.batch}: compared per item; {whole}"]
