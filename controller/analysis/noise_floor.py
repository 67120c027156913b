"""The noise floor of devices: how far benches of the very same thing differ there, beyond what their own runs show.

Learnt once from all rows, in one pass: VALID rows of one variant and one engine on one device under the same
circumstances are repeats of each other.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property
from typing import TypeAlias

from controller.analysis.comparability import circumstances
from controller.analysis.runs import bench_mean
from controller.model.comparison import NoiseFloor
from controller.model.result import VALID, FlagKind, Provenance, Row, verdict
from jetfleet.stats.repeats import ENOUGH_REPEATS, Pooled, Repeats, log_limit
from jetfleet.stats.welch import LogMean, Variance

FALSE_ALARMS = 0.01
# Noise that shows from one process to the next within a minute shows more within a day. What was seen holds the runs'
# own part too: taken out, simulated false alarms were 1.8 % where 1 % was asked for.
DRIFT_OVER_RUNS = 2.0
MIN_REPEATS = 3  # degrees of freedom below which nothing is said of a bench that was one process

Device: TypeAlias = tuple[str, Provenance, bool]  # its name, and whether benches of several runs are meant
Workload: TypeAlias = tuple[Device, str, str]  # a model's variant there, whatever engine it had
Thing: TypeAlias = tuple[Workload, Hashable]  # what was repeated: the very same engine under the same circumstances


class Noise:
    """Of one metric, on every device that the rows are of."""

    def __init__(
        self,
        rows: Iterable[Row],
        metric: str,
        *,
        things: dict[int, Hashable] | None = None,
        despite: frozenset[FlagKind] = frozenset(),
    ) -> None:
        """`things` is what each row repeats, by its id: kept where several metrics are learnt from the same rows. Rows
        that are not VALID are left out, unless it is `despite` these flags.
        """
        self.metric = metric
        self._things = {} if things is None else things
        self._repeats: dict[Thing, Repeats] = defaultdict(Repeats)
        self._means: dict[int, LogMean | None] = {}
        self._values: dict[int, tuple[Thing, float, float]] = {}
        self._rows = {row.measurement_id: row for row in rows}
        for row in self._rows.values():
            flags = {flag.kind for flag in row.measurement.flags} - despite if row.measurement.flags else ()
            if verdict(flags) == VALID and row.measurement_id not in self._values:
                self._add(row)
        self._pooled: dict[Device | Workload, Pooled] = defaultdict(Pooled)
        for key, repeats in self._repeats.items():
            for place in self._places(key):
                self._pooled[place] = self._pooled[place].changed(repeats, +1)

    def mean(self, row: Row) -> LogMean | None:
        """What a bench says of the metric, found once."""
        if row.measurement_id not in self._means:
            self._means[row.measurement_id] = bench_mean(row, self.metric)
        return self._means[row.measurement_id]

    def has_runs(self, row: Row) -> bool:
        """Whether it was measured in more than one process, so that their difference is known."""
        mean = self.mean(row)
        return mean is not None and mean.n > 1

    def _add(self, row: Row) -> None:
        mean = self.mean(row)
        if mean is None:
            return
        found = (mean.mean, mean.variance_of_mean.variance)
        if row.measurement_id not in self._things:
            self._things[row.measurement_id] = (row.engine_key, circumstances(row))
        key = (self._workload(row), self._things[row.measurement_id])
        self._repeats[key] = self._repeats[key].added(*found)
        self._values[row.measurement_id] = (key, *found)

    def pooled(self, row: Row, pair: tuple[Row, Row]) -> Pooled:
        """What repeats of the row's own variant have shown, or where they are few, all repeats on its device.

        Without the compared pair: were that A/A, its own difference would hide itself.
        """
        own = self._without(self._workload(row), pair)
        return own if own.freedom >= ENOUGH_REPEATS else self._without(self._device(row), pair)

    def _without(self, place: Device | Workload, pair: tuple[Row, Row]) -> Pooled:
        found = self._pooled.get(place, Pooled())
        kept: dict[Thing, Repeats] = {}
        for item in {item.measurement_id: item for item in pair}:
            if item not in self._values:
                continue
            key, value, own = self._values[item]
            if place in self._places(key):
                before = kept.get(key, self._repeats[key])
                kept[key] = before.without(value, own)
                found = found.changed(before, -1).changed(kept[key], +1)
        return found

    @staticmethod
    def _places(key: Thing) -> tuple[Device | Workload, ...]:
        workload = key[0]
        return (workload, workload[0])

    def of_device(self, device: str, provenance: Provenance, *, several_runs: bool) -> Pooled:
        return self._pooled.get((device, provenance, several_runs), Pooled())

    def of_others(self, row: Row) -> Pooled:
        """Of all that its device repeated but the row's own variant."""
        device, own = (self._pooled.get(place, Pooled()) for place in (self._device(row), self._workload(row)))
        return Pooled(
            device.benches - own.benches,
            device.things - own.things,
            max(0.0, device.squares - own.squares),
            max(0.0, device.own - own.own),
        )

    @cached_property
    def _tried(self) -> dict[tuple[str, Provenance], list[list[Row]]]:
        """What was benched more than once on a device, VALID or not."""
        kinds: dict[tuple[str, ...], list[Row]] = defaultdict(list)
        for row in self._rows.values():
            provenance = row.measurement.provenance.value
            kinds[row.device, provenance, row.model_name, row.variant_key, row.engine_key, row.part].append(row)
        found: dict[tuple[str, Provenance], list[list[Row]]] = defaultdict(list)
        for rows in kinds.values():
            if len(rows) > 1:
                found[rows[0].device, rows[0].measurement.provenance].append(rows)
        return found

    def untaught(self, device: str, provenance: Provenance, *, without: Iterable[Row] = (), hint: str = "") -> str:
        """Why nothing is learnt of a device: nothing was repeated there, or what was repeated is not VALID."""
        left_out = {row.measurement_id for row in without}
        tried = [
            [row.measurement.verdict for row in rows if row.measurement_id not in left_out]
            for rows in self._tried.get((device, provenance), ())
        ]
        repeated = [found for verdicts in tried if len(verdicts) > 1 for found in verdicts]
        spoilt = sorted(set(repeated) - {VALID})
        if not spoilt:
            return f"{device} has no VALID repeats{hint}"
        return f"of {len(repeated)} benches no two of a kind are VALID ({', '.join(spoilt)}): quiet the device"

    def _workload(self, row: Row) -> Workload:
        return self._device(row), row.model_name, row.variant_key

    def _device(self, row: Row) -> Device:
        return row.device, row.measurement.provenance, self.has_runs(row)


class NoiseFloors:
    """Noise by metric, learnt when it is asked for."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._things: dict[int, Hashable] = {}
        self._found: dict[str, Noise] = {}

    def of(self, metric: str) -> Noise:
        if metric not in self._found:
            self._found[metric] = Noise(self._rows, metric, things=self._things)
        return self._found[metric]


def repeatability_limit(variance: Variance) -> float:
    """Two values differ by more in 1 % of cases, relatively."""
    return math.expm1(log_limit(variance, outside=FALSE_ALARMS))


def floor_of(variance: Variance, pooled: Pooled, device: str, *, untaught: str) -> NoiseFloor:
    """`untaught`: why it is assumed, where it is."""
    share = repeatability_limit(variance)
    told = f"{share:.1%}" if share < 1 else "more than 100 %"
    if not pooled.freedom:
        return NoiseFloor(share, f"{told}, assumed: {untaught}")
    return NoiseFloor(share, f"{told}, learnt from {pooled.benches} A/A benches on {device}")


def widest(floors: Iterable[NoiseFloor]) -> NoiseFloor:
    return max(floors, key=lambda floor: floor.share)
