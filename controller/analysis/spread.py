"""Board-to-board spread: how far boards of one device class differ with one engine, and which of them stand out."""

from collections.abc import Iterable
from statistics import median

from controller.analysis.comparability import circumstances
from controller.model.comparison import Spread
from controller.model.result import VALID, Row
from jetfleet.plural import counted

MINIMUM = 0.02  # boards within this of the median one are never odd
_MIN_BOARDS = 3  # of two that differ, nobody can say which is the odd one
# Median absolute deviation to standard deviation for a normal: 1 / 0.6745. Beyond three of them is out.
_DEVIATIONS = 3 * 1.4826


def spreads(rows: Iterable[Row]) -> tuple[Spread, ...]:
    """Of the newest VALID row of each device; an engine's key holds the device class, so one engine means one class."""
    found: dict[object, dict[str, Row]] = {}
    for row in sorted(rows, key=lambda row: row.measurement_id):
        item = row.measurement
        if item.verdict == VALID and item.p50_ms.value:
            key = (row.variant_key, row.engine_key, circumstances(row))
            found.setdefault(key, {})[row.device] = row
    several = [list(boards.values()) for boards in found.values() if len(boards) > 1]
    return tuple(sorted(map(_spread, several), key=lambda item: (item.model_name, item.variant_key, item.median_ms)))


def _spread(rows: list[Row]) -> Spread:
    p50_ms = {row.device: row.measurement.p50_ms.value or 0.0 for row in sorted(rows, key=lambda row: row.device)}
    middle = median(p50_ms.values())
    away = {device: abs(value / middle - 1.0) for device, value in p50_ms.items()}
    if len(rows) < _MIN_BOARDS:
        outliers, reason = [], f"{counted(len(rows), 'board')}: which one is odd takes {_MIN_BOARDS}"
    else:
        bound = max(MINIMUM, _DEVIATIONS * median(away.values()))
        outliers = [device for device, distance in away.items() if distance > bound]
        reason = f"odd: more than {bound:.1%} from the median board"
    first = rows[0]
    return Spread(
        model_name=first.model_name,
        variant_key=first.variant_key,
        label=first.label,
        provenance=first.measurement.provenance,
        p50_ms=p50_ms,
        median_ms=middle,
        outliers=tuple(outliers),
        reason=reason,
    )
