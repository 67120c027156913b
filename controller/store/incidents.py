"""Tables of what went wrong and what guards against it: results that do not count, and the clock of deadlines."""

from sqlalchemy import Column, Float, ForeignKey, Integer, LargeBinary, Table, Text

from controller.store import tables

metadata = tables.metadata

# A result that came with a stale token: kept, labelled, never counted.
orphan = Table(
    "orphan",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("attempt_token", Text, nullable=False, unique=True),
    Column("reason", Text, nullable=False),
    Column("received_at", Text, nullable=False),
    Column("outcome", LargeBinary, nullable=False),
    Column("device_id", Text, nullable=False, server_default="", index=True),  # who sent it
)

# A result that cannot be stored as what it says: kept as it came, while its attempt ends as a failure for good.
dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("attempt_token", Text, ForeignKey("attempt.token"), nullable=False, unique=True),
    Column("task_id", Integer, ForeignKey("task.id"), nullable=False, index=True),
    Column("device_id", Text, ForeignKey("device.id"), nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("received_at", Text, nullable=False),
    Column("outcome", LargeBinary, nullable=False),
)

# One row: how far the clock of deadlines has come. See steady.py.
steady_clock = Table(
    "steady_clock",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("offset_s", Float, nullable=False),
    Column("elapsed_s", Float, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("noted_at", Text, nullable=False),
)
