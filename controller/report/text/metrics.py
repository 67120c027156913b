"""The metrics as a table for people: docs/metrics.md is made of it."""

from controller.report.text.table import Table
from jetfleet.metrics import METRICS


def metrics_table() -> Table:
    return Table(
        columns=("metric", "unit", "better", "interval", "what it is"),
        rows=[
            (f"`{item.name}`", item.unit, item.better.value, "yes" if item.has_interval else "", item.meaning)
            for item in METRICS
        ],
    )
