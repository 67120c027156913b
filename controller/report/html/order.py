"""Which rows a section shows and in which order."""

from collections.abc import Iterable, Sequence
from itertools import islice

from controller.analysis.importance import by_importance
from controller.model.natural import natural
from controller.model.report import ReportData
from controller.model.result import Row


def arms(data: ReportData, most: int) -> list[Sequence[Row]]:
    """Both arms of each comparison, else up to four rows of a device; as far as their samples are there."""
    compared = by_importance(data.compared.comparisons) if data.compared else []
    pairs: list[Sequence[Row]] = [(item.baseline, item.row) for item in compared if item.baseline is not None]
    if not pairs:
        devices = sorted({row.device for row in data.rows}, key=natural)
        pairs = [[row for row in data.rows if row.device == device][:4] for device in devices]
    return list(islice((pair for pair in pairs if all(row.measurement_id in data.distributions for row in pair)), most))


def newest(rows: Iterable[Row]) -> list[Row]:
    """Of each variant on each board the newest, in the order of their names."""
    found = {(row.label, row.device): row for row in sorted(rows, key=lambda row: row.measurement_id)}
    return [found[key] for key in sorted(found, key=lambda key: (natural(key[0]), natural(key[1])))]
