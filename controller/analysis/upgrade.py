"""What an upgrade of JetPack or TensorRT did to each variant on each board. Pure.

A variant that has no row any more, or one with wrong outputs, is told before any number; else the answer of the
comparison across what was upgraded is what counts.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from controller.analysis.comparability import value_of_fact
from controller.analysis.recommendation.classes import class_of
from controller.model.comparison import Answer, Comparison, ComparisonReport
from controller.model.engine import DlaPlacement
from controller.model.result import FlagKind, Row
from controller.model.upgrade import FailedVariant, UpgradeLine, UpgradeOutcome, UpgradeReport
from jetfleet.circumstances import CUDA_GRAPH

# What comes with a release, and may therefore differ.
UPGRADED = ("l4t", "jetpack", "cuda", "dla_compiler", "runtime_version")
Place: TypeAlias = tuple[str, str, str]  # model, label, device

_OUTCOMES = {
    Answer.FASTER: UpgradeOutcome.FASTER,
    Answer.BETTER: UpgradeOutcome.FASTER,
    Answer.SLOWER: UpgradeOutcome.SLOWER,
    Answer.WORSE: UpgradeOutcome.SLOWER,
    Answer.SAME: UpgradeOutcome.SAME,
}


def upgrade_report(
    old: Sequence[Row],
    new: Sequence[Row],
    compared: ComparisonReport | None,
    *,
    jobs: tuple[int, int],
    failures: Sequence[FailedVariant] = (),
    placements: Mapping[str, DlaPlacement] | None = None,
) -> UpgradeReport:
    """`compared` is by job, across UPGRADED, against the old one; `failures` are the new job's; `placements` of DLAs by
    engine key.
    """
    before, after = _newest(old), _newest(new)
    answers = {_place(item.row): item for item in (compared.comparisons if compared else ())}
    lines = [
        _line(place, before.get(place), after.get(place), answers.get(place), failures=failures)
        for place in sorted(before.keys() | after.keys())
    ]
    lines = [_counted(line, placements or {}) for line in lines]
    order = list(UpgradeOutcome)
    return UpgradeReport(
        *jobs,
        metric=compared.metric if compared else "p50_ms",
        moved=tuple(_moved(before, after)),
        lines=tuple(sorted(lines, key=lambda line: order.index(line.outcome))),
        compared=compared,
    )


def _place(row: Row) -> Place:
    return row.model_name, row.label, row.device


def _newest(rows: Sequence[Row]) -> dict[Place, Row]:
    return {_place(row): row for row in sorted(rows, key=lambda row: row.measurement_id)}


def _line(
    place: Place, old: Row | None, new: Row | None, answer: Comparison | None, *, failures: Sequence[FailedVariant]
) -> UpgradeLine:
    device_class = next(class_of(row).label for row in (new, old) if row is not None)
    outcome, reason = _outcome(old, new, answer, failures)
    change = answer.ratio if answer and outcome in (*_OUTCOMES.values(), UpgradeOutcome.CANNOT_TELL) else None
    return UpgradeLine(place[1], place[2], device_class, outcome, reason, old, new, change)


def _outcome(
    old: Row | None, new: Row | None, answer: Comparison | None, failures: Sequence[FailedVariant]
) -> tuple[UpgradeOutcome, str]:
    if new is None:
        return _lost(old, failures)
    wrong = next((flag for flag in new.measurement.flags if flag.kind is FlagKind.WRONG_OUTPUT), None)
    if wrong is not None:
        return UpgradeOutcome.WRONG_OUTPUTS, wrong.evidence
    if old is None:
        return UpgradeOutcome.NEW, "it has no result before the upgrade"
    if answer is None:
        return UpgradeOutcome.CANNOT_TELL, "the two were not compared"
    told = "; ".join(filter(None, (answer.reason, answer.advice)))
    if answer.answer in (Answer.INCOMPARABLE, Answer.NOT_VALID):
        told = f"{answer.answer.value}: {told}"
    return _OUTCOMES.get(answer.answer, UpgradeOutcome.CANNOT_TELL), told


def _lost(old: Row | None, failures: Sequence[FailedVariant]) -> tuple[UpgradeOutcome, str]:
    for failed in failures:
        if old and failed.variant_key == old.variant_key and failed.device in ("", old.device):
            return (
                UpgradeOutcome.NO_LONGER_BUILDS if failed.in_build else UpgradeOutcome.NO_LONGER_RUNS
            ), failed.reason
    return UpgradeOutcome.GONE, "the new job has no result of it, and no failure"


def _counted(line: UpgradeLine, placements: Mapping[str, DlaPlacement]) -> UpgradeLine:
    if line.before is None or line.after is None:
        return line
    found = tuple(_counts(line.before, line.after, placements))
    return UpgradeLine(**{**vars(line), "counts": found})


def _counts(old: Row, new: Row, placements: Mapping[str, DlaPlacement]) -> Iterator[str]:
    pairs = {"layers": tuple(row.measurement.value("layer_count") for row in (old, new))}
    one, other = placements.get(old.engine_key), placements.get(new.engine_key)
    if one and other:
        pairs["on the DLA"] = (one.layers_on_dla, other.layers_on_dla)
        pairs["on the GPU"] = (one.layers_on_gpu, other.layers_on_gpu)
        pairs["DLA subgraphs"] = (one.subgraphs, other.subgraphs)
    for name, (before, after) in pairs.items():
        if before is not None and after is not None and before != after:
            yield f"{name} {before:g} -> {after:g}"
    graphs = [value_of_fact(row, CUDA_GRAPH) for row in (old, new)]
    if graphs[0] != graphs[1]:
        yield f"CUDA graph {graphs[0]} -> {graphs[1]}"


def _moved(before: Mapping[Place, Row], after: Mapping[Place, Row]) -> Iterator[str]:
    both = sorted(before.keys() & after.keys())
    for name in UPGRADED:
        changes = {(value_of_fact(before[place], name), value_of_fact(after[place], name)) for place in both}
        yield from (f"{name} {old} -> {new}" for old, new in sorted(changes) if old != new)
