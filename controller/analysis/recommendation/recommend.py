"""Which variant to ship, per device class: the best that keeps every constraint, as far as its interval supports it.

Pure and deterministic: the order of rows is irrelevant, rows that are not VALID change nothing but the list of them,
and what is unknown never wins.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from controller.analysis.recommendation.bounds import behind, hold, is_worse
from controller.analysis.recommendation.classes import ClassKey, ClassRows, by_class
from controller.analysis.recommendation.configurations import BuiltEngine, configurations_of
from controller.analysis.recommendation.dla import dla_findings
from controller.analysis.recommendation.pareto import beats, dominates, front, known_axes
from controller.model.natural import natural
from controller.model.quantities import QUANTITIES
from controller.model.recommendation import (
    Bound,
    ClassRecommendation,
    Configuration,
    Goals,
    NotValid,
    RecommendationReport,
    Rejected,
    RunnerUp,
)
from controller.model.result import Estimate, Row
from jetfleet.metrics import Better

_POWER = "power_mean_w"


def recommend(
    rows: Iterable[Row],
    goals: Goals,
    *,
    engines: Mapping[str, BuiltEngine] | None = None,
    refusals: Mapping[str, str] | None = None,
) -> RecommendationReport:
    """Per device class. `engines` are what is known of files and builds by engine key, `refusals` the reasons why
    variants were not built or measured, by variant key.
    """
    classes = by_class(rows)
    ordered = sorted(classes, key=lambda key: (natural(key.label), key.provenance.value, key.hardware, key.releases))
    found = tuple(_of_class(key, classes[key], goals, engines or {}, refusals or {}) for key in ordered)
    return RecommendationReport(goals, found)


def _of_class(
    key: ClassKey,
    rows: ClassRows,
    goals: Goals,
    engines: Mapping[str, BuiltEngine],
    refusals: Mapping[str, str],
) -> ClassRecommendation:
    configurations = configurations_of(rows, engines)
    rejected = [found for item in configurations if (found := _rejection(item, goals)) is not None]
    out = {id(item.configuration) for item in rejected}
    keeping = sorted((item for item in configurations if id(item) not in out), key=lambda item: _order(item, goals))
    axes = known_axes(keeping)
    winners = _winners(keeping, goals, axes)
    runners_up = [
        RunnerUp(item, behind(goals.objective, item.estimate(goals.objective), _best(winners, goals)))
        for item in keeping
        if item not in winners
    ]
    return ClassRecommendation(
        device_class=key.label,
        provenance=key.provenance,
        boards=tuple(sorted(rows.boards)),
        winners=winners,
        margin=runners_up[0].behind if runners_up else None,
        reason=_reason(winners, len(keeping), goals) if configurations else _nothing(rows),
        runners_up=tuple(runners_up),
        rejected=tuple(sorted(rejected, key=lambda item: natural(item.configuration.label))),
        pareto=front(keeping, axes),
        pareto_axes=axes,
        cheapest_mode=_cheapest_mode(keeping),
        dla=dla_findings(configurations, goals, engines=engines, refusals=refusals),
        not_valid=tuple(
            NotValid(row.measurement_id, row.label, row.device, row.measurement.verdict)
            for row in sorted(rows.not_valid, key=lambda row: row.measurement_id)
        ),
        notes=_notes(configurations),
    )


def _rejection(configuration: Configuration, goals: Goals) -> Rejected | None:
    """What it failed on; an objective that nobody measured is a failure, too."""
    held = [hold(configuration, constraint) for constraint in goals.constraints]
    failed = tuple(item for item in held if item.bound is not Bound.MET)
    if failed:
        return Rejected(configuration, failed)
    return Rejected(configuration, ()) if configuration.estimate(goals.objective).value is None else None


def _order(item: Configuration, goals: Goals) -> tuple[float, float, object]:
    """By the objective, then by the power it takes, then by name."""
    value = item.estimate(goals.objective).value or 0.0
    cost = value if QUANTITIES[goals.objective].better is Better.LOWER else -value
    power = item.estimate(_POWER).value
    return cost, float("inf") if power is None else power, natural(item.label)


def _winners(keeping: Sequence[Configuration], goals: Goals, axes: Sequence[str]) -> tuple[Configuration, ...]:
    """The best, and what its interval does not tell from it, less what another one beats in all that is known."""
    if not keeping:
        return ()
    name = goals.objective
    shared = tuple(dict.fromkeys((name, *axes)))
    best = next(item for item in keeping if not any(dominates(other, item, shared) for other in keeping))
    tied = [item for item in keeping if not is_worse(name, item.estimate(name), best.estimate(name))]
    others = (item for item in tied if item is not best and not any(beats(other, item, shared) for other in tied))
    return (best, *others)


def _best(winners: Sequence[Configuration], goals: Goals) -> Estimate:
    return winners[0].estimate(goals.objective) if winners else Estimate(None)


def _reason(winners: Sequence[Configuration], keeping: int, goals: Goals) -> str:
    if not winners:
        return "no variant keeps every constraint" if goals.constraints else f"nobody measured {goals.objective}"
    if len(winners) > 1:
        others = ", ".join(item.label for item in winners[1:])
        return f"a tie: the intervals of {goals.objective} do not tell it from {others}"
    kept = "that keep every constraint" if goals.constraints else "measured"
    if keeping > 1:
        return f"the best of {keeping} {kept}"
    return "the only one that keeps every constraint" if goals.constraints else "the only one measured"


def _nothing(rows: ClassRows) -> str:
    if rows.in_turns:
        return "only measured in turns (--ab), which says which is faster and not how fast: submit the job without --ab"
    return "no VALID measurement"


def _cheapest_mode(keeping: Sequence[Configuration]) -> Configuration | None:
    """What keeps every constraint for the least power, of variants that were measured in several modes."""
    modes: dict[tuple[str, str], set[str]] = defaultdict(set)
    for item in keeping:
        modes[item.model_name, item.variant_key].add(item.power_mode)
    swept = [item for item in keeping if len(modes[item.model_name, item.variant_key]) > 1]
    powers = [
        (value, natural(item.label), item) for item in swept if (value := item.estimate(_POWER).value) is not None
    ]
    return min(powers, key=lambda found: found[:2])[2] if powers else None


def _notes(configurations: Sequence[Configuration]) -> tuple[str, ...]:
    boards = {board for item in configurations for board in item.boards}
    partly = [item for item in configurations if len(item.boards) < len(boards)]
    return tuple(f"{item.label} was measured on {', '.join(item.boards)} only" for item in partly)
