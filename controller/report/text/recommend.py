"""A recommendation for people: one table per device class, and below it every why."""

from collections.abc import Iterator

from controller.model.recommendation import ClassRecommendation, Configuration, Goals
from controller.model.result import Estimate, Provenance
from controller.report.text.table import Table
from controller.report.text.words import number, one_line

_USE = {True: "use it", False: "do not use it", None: "cannot tell"}


def recommend_table(found: ClassRecommendation, goals: Goals) -> Table:
    """Winners first, then what is worse, then what fails a constraint."""
    quantities = _quantities(found, goals)
    rows = [("winner" if not index else "tie", item) for index, item in enumerate(found.winners)]
    rows += [(f"{_times(item.behind)}", item.configuration) for item in found.runners_up]
    rows += [("rejected", item.configuration) for item in found.rejected]
    return Table(
        columns=("", "variant", "power mode", "boards", *quantities),
        rows=[
            (place, item.variant, item.setting or "as found", str(len(item.boards)), *_cells(item, quantities))
            for place, item in rows
        ],
        right=frozenset({"boards", *quantities}),
        folding=frozenset({"variant"}),
        empty="nothing to choose from",
    )


def heading(found: ClassRecommendation) -> str:
    made_up = ", SIMULATED: made-up numbers" if found.provenance is Provenance.SIMULATED else ""
    boards = ", ".join(one_line(name) for name in found.boards)
    return f"{one_line(found.device_class)} ({boards}){made_up}"


def goals_line(goals: Goals) -> str:
    limits = ", ".join(f"{item.quantity} {number(item.limit)}" for item in goals.constraints)
    return f"best {goals.objective}" + (f" within {limits}" if limits else ", no constraints")


def why(found: ClassRecommendation) -> Iterator[str]:
    """Below the table: the reason, the margin, what each failed on, the Pareto front, the modes, the DLA."""
    yield decision(found)
    yield from rejections(found)
    yield from remarks(found)


def decision(found: ClassRecommendation) -> str:
    """The winner with its margin, or why there is none."""
    winner = f"{one_line(found.winners[0].label)}: " if found.winners else ""
    return winner + one_line(found.reason) + _margin(found.margin)


def rejections(found: ClassRecommendation) -> Iterator[str]:
    for item in found.rejected:
        reasons = "; ".join(held.reason for held in item.failed) or "the objective was not measured"
        yield one_line(f"{item.configuration.label}: {reasons}")


def remarks(found: ClassRecommendation) -> Iterator[str]:
    if len(found.pareto_axes) > 1:
        labels = ", ".join(one_line(item.label) for item in found.pareto)
        yield f"Pareto front of {', '.join(found.pareto_axes)}: {labels}"
    if found.cheapest_mode is not None:
        yield f"cheapest power mode that keeps the constraints: {one_line(found.cheapest_mode.label)}"
    for dla in found.dla:
        yield one_line(f"DLA, {dla.variant_key}: {_USE[dla.use]}: {'; '.join(dla.evidence)}")
    for row in found.not_valid:
        yield one_line(f"left out: measurement {row.measurement_id} of {row.label} on {row.device} is {row.verdict}")
    for note in found.notes:
        yield one_line(note)


def _quantities(found: ClassRecommendation, goals: Goals) -> tuple[str, ...]:
    names = (goals.objective, *(item.quantity for item in goals.constraints), *found.pareto_axes)
    return tuple(dict.fromkeys(names))


def _cells(item: Configuration, quantities: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_cell(item.estimate(name)) for name in quantities)


def _cell(item: Estimate) -> str:
    if item.value is None:
        return "n/a"
    if item.low is None or item.high is None:
        return number(item.value)
    return f"{number(item.value)} ({number(item.low)} .. {number(item.high)})"


def _times(behind: Estimate) -> str:
    return "n/a" if behind.value is None else f"{behind.value:.2f}x"


def _margin(margin: Estimate | None) -> str:
    if margin is None or margin.value is None:
        return ""
    if margin.low is None:
        return f"; the next is {margin.value - 1:.1%} worse"
    return f"; the next is {margin.value - 1:.1%} worse, at least {max(0.0, margin.low - 1):.1%} by the intervals"
