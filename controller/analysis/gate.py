"""A job against its baseline: what regressed by more than it may, with the chance of any false alarm bounded. Pure.

FAILED: the whole interval is beyond the limit, and no difference at all is improbable among all cells (Holm).
PASSED: the whole interval is within the limit. Otherwise it cannot be told, which is never a silent pass.
"""

from collections.abc import Mapping, Sequence

from controller.model.comparison import Answer, Comparison, ComparisonReport
from controller.model.gate import CellVerdict, GateCell
from controller.model.interleaved import RegressionLimit
from controller.model.quantities import WORDS, unknown_metric
from jetfleet.errors import BadInput
from jetfleet.metrics import METRICS, Better
from jetfleet.stats import holm
from jetfleet.stats.interleaved import FEWEST
from jetfleet.stats.regression import FALSE_ALARMS, Regression, processes_needed, regression

_LIMITED = {metric.name: metric for metric in METRICS if metric.better is not Better.NEITHER}
_VERDICTS = {
    Regression.WITHIN: CellVerdict.PASSED,
    Regression.BEYOND: CellVerdict.FAILED,
    Regression.UNDECIDED: CellVerdict.CANNOT_TELL,
}
_MANY = 200  # processes: more than anybody would wait for


def read_limits(text: str) -> tuple[RegressionLimit, ...]:
    """`p50=3%,p99=5%,accuracy=0.5pt`. Raises BadInput with all that is wrong."""
    found: list[RegressionLimit] = []
    wrong: list[BadInput] = []
    for part in filter(None, (item.strip() for item in text.split(","))):
        try:
            limit = _limit(part)
        except BadInput as error:
            wrong.append(error)
            continue
        if any(limit.metric == other.metric for other in found):
            expected = "one limit for each metric"
            wrong.append(BadInput(f"{limit.metric} is limited twice", where="--max-regression", expected=expected))
        found.append(limit)
    if not found and not wrong:
        wrong.append(BadInput("no limit is given", where="--max-regression", expected="p50=3%,accuracy=0.5pt"))
    if wrong:
        first, *others = wrong
        raise BadInput(first.message, where=first.where, expected=first.expected, hint=first.hint, others=others)
    return tuple(found)


def _limit(part: str) -> RegressionLimit:
    name, _, amount = (word.strip() for word in part.partition("="))
    metric = WORDS.get(name, name)
    spec = _LIMITED.get(metric)
    if spec is None:
        raise unknown_metric(name, _LIMITED, where="--max-regression", purpose="limit")
    in_points = amount.endswith("pt")
    if in_points != (spec.unit == "share"):
        unit = "points (0.5pt)" if spec.unit == "share" else "per cent (3%)"
        raise BadInput(f"{part!r}: {metric} is limited in {unit}", where="--max-regression", expected=_EXPECTED)
    try:
        value = float(amount.removesuffix("pt").removesuffix("%")) / 100
    except ValueError:
        value = -1.0
    if not 0 <= value < 10 or not amount.endswith(("pt", "%")):
        raise BadInput(f"{part!r} is not a valid limit", where="--max-regression", expected=_EXPECTED)
    return RegressionLimit(metric, value, in_points)


_EXPECTED = "METRIC=N% or, of shares, METRIC=Npt: p50=3%,p99=5%,accuracy=0.5pt"


def gate_cells(
    compared: Mapping[RegressionLimit, ComparisonReport], *, false_alarms: float = FALSE_ALARMS
) -> tuple[GateCell, ...]:
    """One cell per limit and comparison; all of them share one chance of a false alarm."""
    pairs = [(limit, item) for limit, report in compared.items() for item in report.comparisons]
    adjusted = _adjusted([item for _, item in pairs])
    return tuple(_cell(limit, item, adjusted.get(index), false_alarms) for index, (limit, item) in enumerate(pairs))


def _adjusted(items: Sequence[Comparison]) -> dict[int, float]:
    """By the places of those that have a probability."""
    known = [
        (index, item.effect.p_value)
        for index, item in enumerate(items)
        if item.effect is not None and item.effect.p_value is not None
    ]
    found = holm.adjusted([p for _, p in known])
    return {index: p for (index, _), p in zip(known, found, strict=True)}


def _cell(limit: RegressionLimit, item: Comparison, adjusted: float | None, false_alarms: float) -> GateCell:
    if item.answer in (Answer.INCOMPARABLE, Answer.NOT_VALID):
        return GateCell(limit, item, CellVerdict.CANNOT_TELL, f"{item.answer.value}: {item.reason}")
    worse = _worse(limit, item)
    if worse is None or adjusted is None:
        reason = item.reason or (item.effect.change.reason if item.effect else "unknown")
        return GateCell(limit, item, CellVerdict.CANNOT_TELL, reason)
    told = f"{_told(limit, *worse)}, {_amount(limit, limit.limit)} allowed"
    verdict = _VERDICTS[regression(*worse, limit.limit, by_chance=adjusted > false_alarms)]
    if verdict is not CellVerdict.CANNOT_TELL:
        return GateCell(limit, item, verdict, told)
    doubt = "" if worse[0] <= limit.limit else f"; by chance alone in {adjusted:.1%} of cases"
    advice = _advice(limit, item)
    return GateCell(limit, item, verdict, f"{told}{doubt}{f'; {advice}' if advice else ''}")


def _advice(limit: RegressionLimit, item: Comparison) -> str:
    """What it would take to tell on which side of the limit it is."""
    turns = item.row.interleaved
    ratios = [run.ratios.get(limit.metric, 0.0) for run in turns.runs if not run.left_out] if turns else []
    if len(ratios) < FEWEST or min(ratios) <= 0:
        return item.advice
    needed = processes_needed(ratios, limit.limit)
    if needed is None or needed > _MANY:
        return f"it lies so near the limit that more than {_MANY} processes would be needed, or a quieter device"
    return f"about {max(needed, len(ratios) + 1)} processes would tell: measure.runs"


def _worse(limit: RegressionLimit, item: Comparison) -> tuple[float, float] | None:
    """By how much it is worse, least and most; below 0 it is better."""
    change = item.effect.change if item.effect else None
    if change is None or change.low is None or change.high is None:
        return None
    higher_is_better = _LIMITED[limit.metric].better is Better.HIGHER
    if limit.in_points:
        return (-change.high, -change.low) if higher_is_better else (change.low, change.high)
    if higher_is_better:
        return 1 / change.high - 1, 1 / change.low - 1
    return change.low - 1, change.high - 1


def _told(limit: RegressionLimit, least: float, most: float) -> str:
    """`worse by 2% to 4%`, `better by 29% to 37%`, `between 1% better and 2% worse`."""
    if least < 0 < most:
        return f"between {_amount(limit, -least)} better and {_amount(limit, most)} worse"
    if least < 0:
        return f"better by {_amount(limit, abs(most))} to {_amount(limit, -least)}"
    return f"worse by {_amount(limit, least)} to {_amount(limit, most)}"


def _amount(limit: RegressionLimit, value: float) -> str:
    return f"{value * 100:.2g}pt" if limit.in_points else f"{value * 100:.2g}%"
