"""Results: measured rows as a list that becomes a pandas frame."""

from typing import TYPE_CHECKING

from controller.api.listing import Listing
from controller.model.result import Provenance, Row
from controller.record.results import result_frame
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
            _number(found.value("throughput_per_s")),
            f"{found.verdict}{simulated}",
        )

    def to_pandas(self) -> "DataFrame":
        """One line per measurement: `v_results`, its JSON columns spread as `option.NAME`, `label.NAME`, `fact.NAME`.

        Unknown is NA. Raises Infrastructure where pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise Infrastructure(
                "to_pandas needs pandas, which is not installed", hint="install it: pip install pandas"
            ) from error
        columns, records = result_frame(self)
        return pandas.DataFrame(records, columns=list(columns))


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
