"""Fetches what a comparison needs, and decides in this process: the daemon only hands out rows."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from controller.analysis.compare import HEADLINE, compare
from controller.model.comparison import Axis, ComparisonReport
from controller.model.facts import DEVICE_NAME
from controller.model.job import Condition, Op
from controller.model.result import Row
from controller.model.view import ResultQuery
from jetfleet.errors import BadInput

Fetch: TypeAlias = Callable[[ResultQuery], Sequence[Row]]

_ROWS = 1000
# Repeats, whatever other job they were of: the newest tell the board's noise as it is now.
_HISTORY = 200


def compare_jobs(
    fetch: Fetch,
    job_ids: Sequence[int],
    *,
    by: Axis | str | None = None,
    baseline: str = "",
    across: Sequence[str] = (),
    conditions: tuple[Condition, ...] = (),
    variant_keys: tuple[str, ...] = (),
    metric: str = HEADLINE,
    margin: float | None = None,
    false_alarms: float | None = None,
) -> ComparisonReport:
    """Raises BadInput for an axis, a baseline, a fact or a metric that does not exist."""
    axis = Axis(by) if by in {item.value for item in Axis} else by or None
    if isinstance(axis, str):
        raise BadInput(f"{by!r} is not an axis to compare by", expected=" or ".join(item.value for item in Axis))
    rows: list[Row] = []
    for job_id in dict.fromkeys(job_ids):
        found = fetch(ResultQuery((job_id,), conditions, variant_keys, limit=_ROWS))
        if len(found) == _ROWS:
            raise BadInput(
                f"job {job_id} has {_ROWS} measurements or more", hint="compare fewer at a time: by facts or variants"
            )
        rows += found
    history = _history(fetch, rows)
    return compare(
        rows,
        by=axis,
        baseline=baseline,
        across=frozenset(across),
        history=history,
        metric=metric,
        margin=margin,
        false_alarms=false_alarms,
    )


def _history(fetch: Fetch, rows: Sequence[Row]) -> list[Row]:
    """Of other jobs, on the same devices: the newest of the same variants, and of whatever else was repeated there."""
    if not rows:
        return []
    keys = tuple(sorted({row.variant_key for row in rows}))
    here = Condition(DEVICE_NAME, Op.IN, tuple(sorted({row.device for row in rows})))
    others = ResultQuery(conditions=(here,), except_job_ids=tuple(sorted({row.job_id for row in rows})), limit=_HISTORY)
    return [*fetch(replace(others, variant_keys=keys)), *fetch(others)]
