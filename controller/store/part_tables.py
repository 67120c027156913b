"""Tables of what a measurement is made of: runs, rounds, metrics, flags, checks. Written with it, and never changed."""

from sqlalchemy import Column, ForeignKey, Table
from sqlalchemy.types import Boolean, Float, Integer, Text

from controller.store.tables import metadata


def _of_a_measurement() -> "Column[int]":
    return Column("measurement_id", Integer, ForeignKey("measurement.id"), primary_key=True)


# Fresh processes, in the order in which they ran.
run = Table(
    "run",
    metadata,
    _of_a_measurement(),
    Column("idx", Integer, primary_key=True),
    Column("content", Text, nullable=False),  # model.Run as JSON
    sqlite_with_rowid=False,
)

round_ = Table(
    "round",
    metadata,
    _of_a_measurement(),
    Column("idx", Integer, primary_key=True),
    Column("n", Integer, nullable=False),
    Column("p50_ms", Float, nullable=False),
    Column("mean_ms", Float, nullable=False),
    Column("run", Integer, nullable=False, server_default="0"),  # index of the run that it was in
)

# The numbers of a measurement, by the names of jetfleet.metrics; what was not measured has no row.
metric = Table(
    "metric",
    metadata,
    _of_a_measurement(),
    Column("name", Text, primary_key=True),
    Column("value", Float),
    Column("low", Float),  # 95 % interval
    Column("high", Float),
    Column("reason", Text, nullable=False),  # why value or interval is absent
    sqlite_with_rowid=False,
)

flag = Table(
    "flag",
    metadata,
    _of_a_measurement(),
    Column("idx", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("evidence", Text, nullable=False),
)

output_check = Table(
    "output_check",
    metadata,
    _of_a_measurement(),
    Column("tensor", Text, primary_key=True),
    Column("passed", Boolean, nullable=False),
    *(Column(name, Float) for name in ("max_abs", "max_rel", "cosine", "snr_db", "top1_agreement", "equal_share")),
    *(Column(name, Float) for name in ("norm_ratio", "worst_slice_cosine", "worst_slice_norm_ratio")),
    *(Column(name, Text, nullable=False) for name in ("detail", "worst_slice", "weakness")),
)
