"""Results: measured rows as a list that becomes a pandas frame."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from controller.api.listing import Listing
from controller.model.facts import shown
from controller.model.result import Provenance, Row
from jetfleet.errors import Infrastructure

if TYPE_CHECKING:
    from pandas import DataFrame


class Results(Listing[Row]):
    """Rows, newest first."""

    COLUMNS = ("job", "variant", "device", "p50 ms", "95 % interval", "per s", "verdict")
    EMPTY = "no results"

    def cells(self, item: Row) -> tuple[str, ...]:
        found = item.measurement
        simulated = ", SIMULATED" if found.provenance is Provenance.SIMULATED else ""
        return (
            str(item.job_id),
            item.label,
            item.device,
            _number(found.p50_ms.value),
            f"{_number(found.p50_ms.low)} to {_number(found.p50_ms.high)}",
            _number(found.throughput_per_s),
            f"{found.verdict}{simulated}",
        )

    def to_pandas(self) -> "DataFrame":
        """One line per measurement: the columns of `v_results`, then one `fact.NAME` for each fact that any row has.

        Unknown is NA. Raises Infrastructure where pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise Infrastructure(
                "to_pandas needs pandas, which is not installed", hint="install it: pip install pandas"
            ) from error
        facts = sorted({name for row in self for name in row.facts})
        columns = [*_COLUMNS, *(f"fact.{name}" for name in facts)]
        return pandas.DataFrame([_record(row, facts) for row in self], columns=columns)


_COLUMNS = (
    *("measurement_id", "job_id", "job", "model", "variant", "device", "runtime", "runtime_version", "precision"),
    *("batch", "placement", "provenance", "verdict", "n", "p50_ms", "p50_ms_low", "p50_ms_high", "p90_ms", "p99_ms"),
    *("p99_ms_low", "p99_ms_high", "p99_reason", "mean_ms", "std_ms", "min_ms", "max_ms", "throughput_per_s"),
    *("accuracy", "accuracy_n", "warmup_s", "window_s", "processes", "flags", "measured_at", "engine_key"),
    *("subject_index", "schedule", "mode", "lowering", "dla_time_share", "p50_reason"),
)
_OF_THE_MEASUREMENT = (
    *("verdict", "n", "mean_ms", "std_ms", "min_ms", "max_ms", "throughput_per_s", "accuracy", "accuracy_n"),
    *("warmup_s", "window_s", "processes", "subject_index", "dla_time_share"),
)


def _record(row: Row, facts: Sequence[str]) -> dict[str, Any]:
    item = row.measurement
    return {
        **{name: getattr(row, name, None) for name in _COLUMNS},
        **{name: getattr(item, name) for name in _OF_THE_MEASUREMENT},
        "job": row.job_name,
        "model": row.model_name,
        "variant": row.variant_key,
        "precision": row.precision.value,
        "provenance": item.provenance.value,
        "schedule": row.schedule.value,
        "mode": row.mode.value,
        "lowering": row.lowering.value if row.lowering else None,
        "p50_reason": item.p50_ms.reason or None,
        "p50_ms": item.p50_ms.value,
        "p50_ms_low": item.p50_ms.low,
        "p50_ms_high": item.p50_ms.high,
        "p90_ms": item.p90_ms.value,
        "p99_ms": item.p99_ms.value,
        "p99_reason": item.p99_ms.reason or None,
        "p99_ms_low": item.p99_ms.low,
        "p99_ms_high": item.p99_ms.high,
        "flags": "; ".join(f"{flag.kind.value}: {flag.evidence}" for flag in item.flags) or None,
        **{f"fact.{name}": _fact(row, name) for name in facts},
    }


def _fact(row: Row, name: str) -> Any:
    value = row.facts.get(name)
    return shown(value) if isinstance(value, tuple) else value


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
