"""Fetches what a comparison needs, and decides in this process: the daemon only hands out rows."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from controller.analysis.compare import compare
from controller.model.comparison import Axis, ComparisonReport
from controller.model.job import Condition
from controller.model.result import Row
from controller.model.view import ResultQuery
from jetfleet.errors import BadInput

Fetch: TypeAlias = Callable[[ResultQuery], Sequence[Row]]

_ROWS = 1000
# Repeats of the same variants, whatever job they were of: the newest tell the board's noise as it is now.
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
) -> ComparisonReport:
    """Raises BadInput for an axis, a baseline or a fact that does not exist."""
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
    keys = tuple(sorted({row.variant_key for row in rows}))
    history = fetch(ResultQuery(variant_keys=keys, limit=_HISTORY)) if keys else ()
    return compare(rows, by=axis, baseline=baseline, across=frozenset(across), history=history)
