"""What tables refuse of everybody, this program included: changes of the audit log, and numbers that cannot be.

Numbers are refused before that, in jetfleet.plausible, where they come by the network; here is what the store itself
holds to. Like the views they are made anew wherever a database has others. Not CHECKs: SQLite adds none to a table.
"""

from collections.abc import Iterable

from jetfleet.metrics import METRICS

_MOST = "1e300"  # no number: what is beyond it is infinite, or a fault
_LARGEST_SHARE = "1.000001"  # a rounding beside 1


_RUN_LENGTHS = ("window_s", "warmup_s", "load_s", "within_low_ms", "within_high_ms")


def _texts(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


_SIGNED = _texts(metric.name for metric in METRICS if metric.signed)
_SHARES = _texts(metric.name for metric in METRICS if metric.unit == "share")


def _impossible_value(name: str, value: str) -> str:
    """Of a metric; what is not a number at all is NULL in SQLite."""
    return (
        f"abs({value}) > {_MOST} OR ({value} < 0 AND {name} NOT IN ({_SIGNED}))"
        f" OR ({value} > {_LARGEST_SHARE} AND {name} IN ({_SHARES}))"
    )


def _length(value: str) -> str:
    return f"{value} BETWEEN 0 AND {_MOST}"


def _lengths_of_run() -> str:
    return " AND ".join(_length(f"coalesce(json_extract(NEW.content, '$.{name}'), 0)") for name in _RUN_LENGTHS)


# JSON knows neither infinity nor what is not a number.
_RUN = """CASE WHEN NOT json_valid(NEW.content) THEN 1 ELSE NOT (
    json_extract(NEW.content, '$.n') >= 0 AND json_extract(NEW.content, '$.warmup_n') >= 0 AND {lengths}
  ) OR EXISTS (
    SELECT 1 FROM json_each(NEW.content, '$.metrics') item WHERE item.value IS NULL OR {impossible}
  ) END""".replace("{impossible}", _impossible_value("item.key", "item.value")).replace("{lengths}", _lengths_of_run())
_IMPOSSIBLE = {
    "measurement": f"NOT (NEW.n >= 0 AND {_length('NEW.window_s')} AND {_length('NEW.warmup_s')}"
    " AND NEW.warmup_n >= 0 AND NEW.processes >= 0 AND NEW.accuracy_n >= 0)",
    "round": f"NOT (NEW.n > 0 AND {_length('NEW.p50_ms')} AND {_length('NEW.mean_ms')})",
    "run": _RUN,
    "metric": f"{_impossible_value('NEW.name', 'NEW.value')}"
    f" OR abs(NEW.low) > {_MOST} OR abs(NEW.high) > {_MOST} OR NEW.low > NEW.high",
    "ratio": f"NOT (NEW.value > 0 AND NEW.value < {_MOST})",
    "interleaved": f"NOT ({_length('NEW.margin')} AND NEW.confidence >= 0 AND NEW.confidence < 1)",
}
TRIGGERS = {
    **{
        f"{table}_{change}": f"CREATE TRIGGER {table}_{change} BEFORE {change} ON {table} "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END"
        for table in ("audit", "audit_seal")
        for change in ("UPDATE", "DELETE")
    },
    **{
        f"impossible_{table}": f"CREATE TRIGGER impossible_{table} BEFORE INSERT ON {table} WHEN {condition} "
        f"BEGIN SELECT RAISE(ABORT, 'a number that cannot be, in {table}'); END"
        for table, condition in _IMPOSSIBLE.items()
    },
}
