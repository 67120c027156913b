"""What must agree for two numbers to mean the same thing, by what is being compared. Differences, never judgements.

A fact that neither has does not apply to them; one that only one of them has is a difference.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from controller.model.circumstances import CHOSEN, CIRCUMSTANCES, HARDWARE, SETTINGS
from controller.model.comparison import Axis
from controller.model.facts import fact_type, shown
from controller.model.result import Row, Schedule
from jetfleet.circumstances import CLOCKS, CUDA_GRAPH, OTHERWISE, UNKNOWN
from jetfleet.errors import BadInput

# What ran at the same time, and how it was timed: these decide what a latency means.
# What a row has beside its facts and circumstances.
_OF_A_ROW: Mapping[str, Callable[[Row], str]] = {
    "provenance": lambda row: row.measurement.provenance.value,
    "model": lambda row: row.model_name,
    "runtime": lambda row: row.runtime,
    "runtime_version": lambda row: row.runtime_version,
    "precision": lambda row: row.precision.value,
    "batch": lambda row: str(row.batch),
    "placement": lambda row: row.placement,
    "schedule": lambda row: row.schedule.value,
    "subject": lambda row: row.part or "the only one",
    "mode": lambda row: row.mode.value,
}
_FIELDS = (*_OF_A_ROW, *CHOSEN)
_SAID = tuple((name, OTHERWISE[name]) for name in (*CHOSEN, *(item.name for item in CLOCKS)))
_FACTS = (*HARDWARE, *(name for name in CIRCUMSTANCES if name not in OTHERWISE))
_ALL = ("power_mode", *_OF_A_ROW, *(name for name, _ in _SAID), *_FACTS)
# Whether a graph could be captured is the runtime's and the placement's: between variants it is told, and no obstacle.
_OWN_OF_A_VARIANT = frozenset({"runtime", "precision", "batch", "placement", CUDA_GRAPH})


def check_names(across: frozenset[str]) -> None:
    """Raises BadInput for what may not differ, or does not exist."""
    allowed = ("model", "runtime_version", *CHOSEN, *HARDWARE, *CIRCUMSTANCES)
    for name in sorted(across):
        if name not in allowed:
            why = "is never compared across" if name in _FIELDS else "does not keep rows from being compared"
            raise BadInput(
                f"{name} {why}" if name in _FIELDS or fact_type(name) else f"there is no fact {name!r}",
                where="--across",
                expected=f"one of: {', '.join(allowed)}",
            )


def differences(row: Row, baseline: Row, *, by: Axis, across: frozenset[str] = frozenset()) -> list[str]:
    """What keeps a row from being held against its baseline, each as `name is A, B in the baseline`."""
    here, there = circumstances(row), circumstances(baseline)
    if here == there:
        return []
    values = dict(zip(_ALL, zip(here, there, strict=True), strict=True))
    return [
        f"{name} is {values[name][0]}, {values[name][1]} in the baseline"
        for name in _must_agree(row, baseline, by)
        if name not in across and values[name][0] != values[name][1]
    ]


def circumstances(row: Row) -> tuple[str, ...]:
    """Rows of one engine with the same of these, on one device, are repeats of each other."""
    said, facts = row.measurement.circumstances, row.facts
    return (
        row.power_mode or UNKNOWN,
        *[read(row) for read in _OF_A_ROW.values()],
        *[said.get(name, otherwise) for name, otherwise in _SAID],
        *[shown(facts.get(name)) for name in _FACTS],
    )


def _must_agree(row: Row, baseline: Row, by: Axis) -> Iterator[str]:
    yield from sorted(set(_FIELDS) - _free(row, baseline, by), key=_FIELDS.index)
    if by is not Axis.DEVICE:
        yield from HARDWARE
        yield from _circumstances(row, baseline, by)
    elif all(value_of_fact(row, name) == value_of_fact(baseline, name) for name in HARDWARE):
        # Equal boards: what sets them apart must be the board. Unequal ones have power modes and releases of their own.
        yield from CIRCUMSTANCES


def _free(row: Row, baseline: Row, by: Axis) -> set[str]:
    """Fields that may differ."""
    found = set(_OWN_OF_A_VARIANT) if by is Axis.VARIANT else set()
    if row.runtime != baseline.runtime:
        found.add("runtime_version")  # versions of different runtimes have nothing to do with each other
    if row.schedule is Schedule.INTERLEAVED and row.task_id == baseline.task_id:
        found.add("subject")  # which of two in turns is the candidate says nothing of what was measured
    return found


def _circumstances(row: Row, baseline: Row, by: Axis) -> Sequence[str]:
    """Variants that ask for other power modes or clocks differ in them, as they do in a precision."""
    chosen = by is Axis.VARIANT and row.settings != baseline.settings
    return [name for name in CIRCUMSTANCES if name not in SETTINGS] if chosen else CIRCUMSTANCES


def value_of_fact(row: Row, name: str) -> str:
    """As people read it, and as it is compared."""
    if name == "power_mode":
        return row.power_mode or UNKNOWN
    if name in _OF_A_ROW:
        return _OF_A_ROW[name](row)
    if name in OTHERWISE:
        return row.measurement.circumstances.get(name, OTHERWISE[name])
    return shown(row.facts.get(name))
