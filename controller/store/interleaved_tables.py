"""Tables of what was timed in turns: the rule of each task, and a row for each process and metric."""

from sqlalchemy import Boolean, Column, ForeignKey, Table
from sqlalchemy.types import Float, Integer, Text

from controller.store.tables import metadata

interleaved = Table(
    "interleaved",
    metadata,
    Column("task_id", Integer, ForeignKey("task.id"), primary_key=True),
    Column("looks", Text, nullable=False),  # numbers of processes, as JSON
    Column("margin", Float, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("stopped", Text, nullable=False),
    Column("digest", Text, nullable=False),  # of all that this row and its ratios say
)

# One process of a task and one metric: the second subject's number over the first's.
ratio = Table(
    "ratio",
    metadata,
    Column("task_id", Integer, ForeignKey("task.id"), primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Float, nullable=False),
    Column("second_loaded_first", Boolean, nullable=False),
    Column("left_out", Text, nullable=False),  # why it does not count; empty: it does
    sqlite_with_rowid=False,
)
