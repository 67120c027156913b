"""What is held against what when nobody says: the axis of a comparison, and its baseline."""

from collections.abc import Iterable, Sequence

from controller.analysis.choose import order_of, value_of
from controller.model.comparison import Axis
from controller.model.job import Precision
from controller.model.natural import NaturalKey
from controller.model.result import Row
from jetfleet.errors import BadInput

# The nearest to the model as it was trained comes first.
_PRECISIONS = (Precision.FP32, Precision.TF32, Precision.FP16, Precision.INT8)


def default_axis(rows: Iterable[Row]) -> Axis:
    """Jobs where there are several, else variants, else devices."""
    found = list(rows)
    if len({row.job_id for row in found}) > 1:
        return Axis.JOB
    return Axis.VARIANT if len({row.variant_key for row in found}) > 1 else Axis.DEVICE


def baseline_value(rows: Sequence[Row], by: Axis, wanted: str) -> str:
    """Raises BadInput where no row is of the wanted one. Of variants, fp32 of the smallest batch is the default; of two
    that were timed in turns, the base; of jobs the oldest one, of devices the first by name.
    """
    values = sorted({value_of(row, by) for row in rows}, key=lambda value: order_of(value, by))
    if not wanted:
        return _default(rows, by, values)
    if wanted in values:
        return wanted
    other = next((axis for axis in Axis if any(value_of(row, axis) == wanted for row in rows)), None)
    raise BadInput(
        f"no result is of {by.value} {wanted!r}",
        where="--baseline",
        expected=f"one of: {', '.join(values)}" if values else "a job that has results",
        hint=f"it is a {other.value}: use --by {other.value}" if other else "",
    )


def _default(rows: Sequence[Row], by: Axis, values: Sequence[str]) -> str:
    if not values:
        return ""
    if by is not Axis.VARIANT:
        return values[0]
    turned = {row.task_id for row in rows if row.interleaved}
    bases = [row for row in rows if row.task_id in turned and row.measurement.subject_index == 0]
    return min(bases or rows, key=_plainness).variant_key


def _plainness(row: Row) -> tuple[int, int, NaturalKey]:
    return _PRECISIONS.index(row.precision), row.batch, order_of(row.variant_key, Axis.VARIANT)
