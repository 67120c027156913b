"""What the difference of two rows is measured by: where it comes from, and how sure it is.

Best first: ratios taken in turns inside the same processes; runs of two benches, with the noise between benches; and,
where a bench was one process, what repeats of it on that device have shown. An interval of one process is never used.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from controller.analysis.noise_floor import DRIFT_OVER_RUNS, MIN_REPEATS, Noise, floor_of, widest
from controller.model.comparison import NoiseFloor, Source
from controller.model.interleaved import Interleaved
from controller.model.result import Row
from jetfleet.stats.interleaved import BIAS, FEWEST, METRIC, deviation_of, looks_at, procedure_of, smallest_at_one_look
from jetfleet.stats.looks import Looks
from jetfleet.stats.power import POWER
from jetfleet.stats.repeats import between_benches
from jetfleet.stats.welch import LogMean, LogRatio, Variance, paired_ratio, ratio

_ONE_PROCESS = "measured in one process, whose interval knows nothing of the next process"


@dataclass(frozen=True)
class Evidence:
    """`found` None: there is no interval, and `reason` says why."""

    source: Source
    found: LogRatio | None = None
    reason: str = ""
    floor: NoiseFloor | None = None
    looks: Looks | None = None
    ratios: tuple[float, ...] = ()  # of an INTERLEAVED one, of each process that counts
    turns: Interleaved | None = None  # whose looks asked about this metric: its processes were ended by it
    caution: float = 1.0  # how many times the standard error that is to be expected it has

    def interval(self, outside: float) -> tuple[float, float] | None:
        if self.found is None:
            return None
        return self.found.interval(1 - self._share(outside))

    def p_value(self) -> float | None:
        if self.found is None:
            return None
        return self.looks.p_value(self.found, n=len(self.ratios), bias=BIAS) if self.looks else self.found.p_value()

    def smallest(self, outside: float) -> float | None:
        """Relative: what is told in four of five cases, by all looks that there were or would have been."""
        if self.found is None:
            return None
        if self.turns and self.looks:
            rule = procedure_of(
                self.ratios,
                self.looks,
                margin=self.turns.margin,
                confidence=self.turns.confidence,
                outside=outside,
            )
            n = len(self.ratios)
            return rule.smallest(deviation_of(self.found, n), n, wanted=POWER)
        if self.looks:
            return smallest_at_one_look(self.found, self.looks, len(self.ratios), outside=outside, wanted=POWER)
        return self.found.smallest(outside=outside, wanted=POWER, caution=self.caution)

    def _share(self, outside: float) -> float:
        return outside * self.looks.share(len(self.ratios)) if self.looks else outside


def evidence(row: Row, baseline: Row, noise: Noise) -> Evidence:
    """Of the metric of `noise`."""
    turns, turned = in_turns(row, baseline)
    if turns is not None:
        ratios = [run.ratios.get(noise.metric, 0.0) for run in turns.runs if not run.left_out]
        if any(ratio > 0 for ratio in ratios):
            counted = [1 / ratio if turned else ratio for ratio in ratios if ratio > 0]
            return _of_turns(turns, counted, noise.metric)
    return _of_benches(row, baseline, noise)


def in_turns(row: Row, baseline: Row) -> tuple[Interleaved | None, bool]:
    """Where the two were timed in turns with each other, and whether the baseline was held against the row."""
    if row.task_id == baseline.task_id:
        if row.interleaved and baseline.measurement.subject_index == 0:
            return row.interleaved, False
        if baseline.interleaved and row.measurement.subject_index == 0:
            return baseline.interleaved, True
    return None, False


def _of_turns(turns: Interleaved, ratios: Sequence[float], metric: str) -> Evidence:
    """Of what its processes were not ended by, the one look that there was is all that is known."""
    if len(ratios) < FEWEST:
        return Evidence(Source.INTERLEAVED, reason="one process only counts", ratios=tuple(ratios))
    return Evidence(
        Source.INTERLEAVED,
        paired_ratio(ratios),
        looks=looks_at(turns.looks),
        ratios=tuple(ratios),
        turns=turns if metric == METRIC else None,
    )


def _of_benches(row: Row, baseline: Row, noise: Noise) -> Evidence:
    pair = (row, baseline)
    source = Source.RUNS if all(noise.has_runs(item) for item in pair) else Source.ONE_RUN
    mean, base_mean = noise.mean(row), noise.mean(baseline)
    if mean is None or base_mean is None:
        return Evidence(source, reason=f"no {noise.metric} to compare")
    deviation = pooled_deviation((mean, base_mean))
    variances, floors, twice = [], [], 0.0
    for alike in _of_one_kind(pair, noise):
        first, several = alike[0], noise.has_runs(alike[0])
        pooled = noise.pooled(first, pair)
        if not several and pooled.freedom < MIN_REPEATS:
            return Evidence(source, reason=f"{_which(alike, baseline)} {_ONE_PROCESS}")
        one = Variance(pooled.total, pooled.freedom)
        if several:
            one = between_benches(pooled, assumed=DRIFT_OVER_RUNS * deviation)
        variances.append(Variance(len(alike) * one.variance, one.freedom))
        own = math.fsum(_own_variance(item, noise) for item in alike)
        twice += own * pooled.freedom / max(1.0, one.freedom)
        floors.append(floor_of(one, pooled, first.device, untaught=_untaught(first, pair, noise)))
    found = ratio(mean, base_mean, more=variances)
    return Evidence(source, found, floor=widest(floors), caution=_caution(found, twice))


def _untaught(row: Row, pair: Sequence[Row], noise: Noise) -> str:
    hint = f" (`controller noise {row.device}`)"
    return noise.untaught(row.device, row.measurement.provenance, without=pair, hint=hint)


def _own_variance(row: Row, noise: Noise) -> float:
    mean = noise.mean(row)
    return mean.variance_of_mean.variance if mean else 0.0


def _caution(found: LogRatio, twice: float) -> float:
    """`twice`: the variance that runs and repeats both show. It is reckoned with on purpose, and is not there."""
    variance = found.standard_error**2
    return math.sqrt(variance / (variance - twice)) if 0 < twice < variance else 1.0


def _of_one_kind(pair: Sequence[Row], noise: Noise) -> list[list[Row]]:
    """By device, and whether they have runs: what varies alike is known alike, and counts for both at once."""
    found: dict[tuple[str, bool], list[Row]] = {}
    for row in pair:
        found.setdefault((row.device, noise.has_runs(row)), []).append(row)
    return list(found.values())


def pooled_deviation(means: Sequence[LogMean]) -> float:
    """From run to run, of all of them."""
    freedom = sum(mean.n - 1 for mean in means)
    return math.sqrt(sum(mean.variance * (mean.n - 1) for mean in means) / freedom) if freedom else 0.0


def _which(rows: Sequence[Row], baseline: Row) -> str:
    if len(rows) == 2:
        return "both were"
    return "the baseline was" if rows[0] is baseline else "it was"
