"""Fetches the rows of a history, and looks for changes in this process."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from controller.analysis.history import histories
from controller.model.facts import DEVICE_NAME
from controller.model.history import History
from controller.model.job import Condition, Op
from controller.model.result import Row
from controller.model.view import ResultQuery
from jetfleet.errors import BadInput

Fetch: TypeAlias = Callable[[ResultQuery], Sequence[Row]]

MOST_POINTS = 1000
_MOST_OF_JOBS = 5000
_FOR_NOISE = 200


def variant_history(fetch: Fetch, variant: str, *, device: str = "", metric: str = "p50_ms") -> list[History]:
    """Of all jobs that measured the variant. Raises BadInput where none did."""
    conditions = (Condition(DEVICE_NAME, Op.EQUALS, (device,)),) if device else ()
    rows = fetch(ResultQuery(conditions=conditions, variant_keys=(variant,), limit=MOST_POINTS))
    if not rows:
        on = f" on {device}" if device else ""
        raise BadInput(f"nothing has measured {variant!r}{on}", expected="a variant's key, as `results` shows it")
    return histories(rows, metric, beside=_beside(fetch, rows))


def history_of(fetch: Fetch, rows: Sequence[Row], metric: str = "p50_ms") -> list[History]:
    """Of the variants and devices that the rows are of, with what every other job measured of them."""
    if not rows:
        return []
    keys = tuple(sorted({row.variant_key for row in rows}))
    found = fetch(ResultQuery(conditions=(_devices(rows),), variant_keys=keys, limit=_MOST_OF_JOBS))
    wanted = {(row.model_name, row.label, row.device) for row in rows}
    everything = histories([*rows, *found], metric, beside=_beside(fetch, rows))
    return [item for item in everything if (item.model_name, item.label, item.device) in wanted]


def _beside(fetch: Fetch, rows: Sequence[Row]) -> Sequence[Row]:
    """The newest of the same devices, where other things were repeated."""
    return fetch(ResultQuery(conditions=(_devices(rows),), limit=_FOR_NOISE))


def _devices(rows: Sequence[Row]) -> Condition:
    return Condition(DEVICE_NAME, Op.IN, tuple(sorted({row.device for row in rows})))
