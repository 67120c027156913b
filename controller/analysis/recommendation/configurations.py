"""From rows to configurations: what stands for a variant in a class of boards, and its numbers there. Pure.

Only VALID rows. Of repeats the newest speaks; of boards the worst; of the subjects of one task the worst latency, and
the throughput of the whole.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from controller.analysis.recommendation.classes import ClassRows, Name
from controller.model.engine import DlaPlacement
from controller.model.job import Mode
from controller.model.quantities import ACCURACY_DROP, ENGINE_BYTES, MEMORY_BYTES, QUANTITIES
from controller.model.recommendation import Configuration
from controller.model.result import Estimate, Measurement, Row
from jetfleet.metrics import METRICS, Better

# A latency is that of back-to-back inferences unless nobody measured it so.
_MODES = (Mode.LATENCY, Mode.THROUGHPUT, Mode.PACED)
# Of one board, by mode: the parts of its tasks, and the whole ones.
_Timed: TypeAlias = "dict[Mode, tuple[list[Measurement], list[Measurement]]]"
_WHOLE = frozenset(item.name for item in METRICS if item.unit not in ("ms", "share"))


@dataclass(frozen=True)
class BuiltEngine:
    """What is known of an engine's file and its build; None: unknown."""

    size_bytes: int | None = None
    memory_bytes: int | None = None
    dla: DlaPlacement | None = None


def configurations_of(rows: ClassRows, engines: Mapping[str, BuiltEngine]) -> list[Configuration]:
    """Of one class, in the order of their names."""
    by_name = rows.by_name()
    alike: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    for name in by_name:
        alike[name[:4]].append(dict(name[4]))
    return _with_accuracy_drop(
        [
            _configuration(name, spoken, engines, options=_unlike(dict(name[4]), alike[name[:4]]))
            for name, spoken in by_name.items()
        ]
    )


def _unlike(own: Mapping[str, str], alike: Sequence[Mapping[str, str]]) -> str:
    """The options in which those that are called the same differ, as this one has them: `latency_ms 2`."""
    names = sorted({name for options in alike for name in options})
    differing = [name for name in names if len({options.get(name) for options in alike}) > 1]
    return ", ".join(f"{name} {own.get(name, 'as by default')}" for name in differing)


def _configuration(
    name: Name, spoken: Sequence[Row], engines: Mapping[str, BuiltEngine], *, options: str
) -> Configuration:
    on_boards: dict[str, list[Row]] = defaultdict(list)
    for row in spoken:
        on_boards[row.device].append(row)
    boards = sorted(on_boards)
    timed = [_by_mode(on_boards[board]) for board in boards]
    measured = {metric for row in spoken for metric in row.measurement.metrics}
    keys = tuple(sorted({row.engine_key for row in spoken if row.engine_key}))
    estimates = {}
    for item in METRICS:
        if item.name in QUANTITIES:
            found = [_on_board(item.name, board) for board in timed] if item.name in measured else [Estimate(None)]
            estimates[item.name] = worst(item.name, found)
    built = [engines[key] for key in keys if key in engines]
    sizes = [item.size_bytes for item in built if item.size_bytes is not None]
    if sizes:
        estimates[ENGINE_BYTES] = Estimate(float(max(sizes)))
    memory = [item.memory_bytes for item in built if item.memory_bytes is not None]
    if memory:
        estimates[MEMORY_BYTES] = Estimate(float(max(memory)))
    return Configuration(
        model_name=name[0],
        variant_key=name[1],
        placement=_placement(spoken),
        power_mode=name[2],
        clocks=name[3],
        options=options,
        boards=tuple(boards),
        measurement_ids=tuple(sorted(row.measurement_id for row in spoken)),
        engine_keys=keys,
        estimates=estimates,
    )


def _placement(spoken: Sequence[Row]) -> str:
    """That of the whole variant where it has subjects with placements of their own."""
    wholes = (row for row in spoken if row.measurement.subject_index is None)
    return next(wholes, spoken[-1]).placement


def _by_mode(rows: Sequence[Row]) -> _Timed:
    found: _Timed = {}
    for row in rows:
        parts, wholes = found.setdefault(row.mode, ([], []))
        (wholes if row.measurement.subject_index is None else parts).append(row.measurement)
    return found


def _on_board(name: str, timed: _Timed) -> Estimate:
    """A metric on one board: by the first mode that has it, of the worst part or the whole."""
    unknown = Estimate(None)
    for mode in _order(name):
        parts, wholes = timed.get(mode, ((), ()))
        asked = wholes if wholes and name in _WHOLE else parts
        found = [measurement.estimate(name) for measurement in asked]
        if found and all(item.value is not None for item in found):
            return worst(name, found)
        unknown = next((item for item in (*found, unknown) if item.reason), unknown)
    return unknown


def _order(name: str) -> tuple[Mode, ...]:
    """The mode that measures it as its users mean it goes first."""
    return (Mode.THROUGHPUT, Mode.LATENCY, Mode.PACED) if name == "throughput_per_s" else _MODES


def worst(name: str, found: Sequence[Estimate]) -> Estimate:
    """Of several places: bound by bound, so that what holds for it holds for each of them. One unknown hides all."""
    unknown = next((item for item in found if item.value is None), None)
    if unknown is not None or len(found) == 1:
        return unknown or found[0]
    pick = max if QUANTITIES[name].better is Better.LOWER else min
    value = pick(item.value for item in found if item.value is not None)
    lows = [item.low for item in found if item.low is not None]
    highs = [item.high for item in found if item.high is not None]
    if len(lows) < len(found) or len(highs) < len(found):
        reason = next((item.reason for item in found if item.low is None), "")
        return Estimate(value, reason=reason)
    return Estimate(value, pick(lows), pick(highs))


def _with_accuracy_drop(made: Sequence[Configuration]) -> list[Configuration]:
    """Against fp32 of the smallest batch, or else the most accurate of the same model."""
    return [_dropped(item, _reference(item.model_name, made)) for item in made]


def _reference(model_name: str, made: Sequence[Configuration]) -> float | None:
    known = [(item, value) for item, value in _accuracies(made) if item.model_name == model_name]
    plain = [value for item, value in known if "-fp32-" in item.variant_key]
    return max(plain or [value for _, value in known], default=None)


def _accuracies(made: Iterable[Configuration]) -> Iterator[tuple[Configuration, float]]:
    for item in made:
        value = item.estimate("accuracy").value
        if value is not None:
            yield item, value


def _dropped(item: Configuration, reference: float | None) -> Configuration:
    value = item.estimate("accuracy").value
    if value is None or reference is None:
        return item
    estimates = {**item.estimates, ACCURACY_DROP: Estimate(max(0.0, reference - value))}
    return Configuration(**{**vars(item), "estimates": estimates})
