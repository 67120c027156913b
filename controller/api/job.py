"""A submitted job as an object, and the list of rows that it leads to. Everything here is a call of the client."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from controller.model.comparison import Axis, Compared
from controller.model.facts import shown
from controller.model.result import Row
from controller.model.view import JobView, ResultQuery, Submitted
from jetfleet.errors import BadInput, Infrastructure

if TYPE_CHECKING:
    from pandas import DataFrame

    from controller.api.client import Client


class Results(list[Row]):
    """Rows, newest first."""

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


@dataclass(frozen=True)
class Job(Submitted):
    """What a submit gives: the answer, and the way to follow it. `id` is 0 after a dry run."""

    client: "Client" = field(repr=False, compare=False)

    @property
    def id(self) -> int:
        return self.job_id

    def view(self) -> JobView:
        """The job and its tasks as they are now."""
        return self.client.job(self._stored())

    def wait(self) -> JobView:
        """The job when it has ended, however it ended: see `state`, and `failure` of its tasks."""
        return self.client.wait(self._stored())

    def results(self) -> Results:
        """What has been measured so far."""
        return self.client.results(ResultQuery(job_ids=(self._stored(),)))

    def compare(
        self, *others: "int | Job", by: Axis | str | None = None, baseline: str = "", across: Sequence[str] = ()
    ) -> Compared:
        """This job, with others if given: see Client.compare."""
        return self.client.compare([self, *others], by=by, baseline=baseline, across=across)

    def cancel(self) -> JobView:
        return self.client.cancel(self._stored())

    def _stored(self) -> int:
        if not self.job_id:
            raise BadInput("a dry run makes no job", hint="submit it without validate_only")
        return self.job_id


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
