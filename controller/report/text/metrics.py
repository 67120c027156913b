"""The metrics as a table for people: docs/metrics.md is made of it."""

from controller.report.text.table import Table
from jetfleet.metrics import METRICS, MetricSpec


def metrics_table() -> Table:
    return Table(
        columns=("metric", "unit", "better", "interval", "what it is"),
        rows=[(f"`{item.name}`", item.unit, item.better.value, _interval(item), item.meaning) for item in METRICS],
    )


def _interval(metric: MetricSpec) -> str:
    if metric.has_interval:
        return "yes"
    return "reason only" if metric.has_reason else ""
