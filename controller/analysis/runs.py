"""What a row says of a metric at the level of its runs, its fresh processes; the only level that a comparison uses."""

from controller.model.result import Row
from jetfleet.stats.welch import LogMean, log_mean


def run_values(row: Row, metric: str) -> list[float]:
    """Of the runs that count and have it; positive numbers, for they are looked at by their logarithms."""
    found = (run.metrics.get(metric) for run in row.measurement.counted_runs)
    return [value for value in found if value is not None and value > 0]


def has_runs(row: Row, metric: str) -> bool:
    """Whether it was measured in more than one process, so that their difference is known."""
    return len(run_values(row, metric)) > 1


def single_value(row: Row, metric: str) -> float | None:
    value = row.measurement.value(metric)
    return value if value is not None and value > 0 else None


def bench_mean(row: Row, metric: str) -> LogMean | None:
    """Of its runs where there are several, else of the one value that it has; None: it has none."""
    values = run_values(row, metric)
    if len(values) > 1:
        return log_mean(values)
    value = single_value(row, metric)
    return None if value is None else log_mean([value])


def seconds_of_a_run(row: Row) -> float | None:
    """How long a fresh process took, start to end of its window."""
    runs = row.measurement.counted_runs
    if not runs:
        return None
    return sum(run.load_s + run.warmup_s + run.window_s for run in runs) / len(runs)
