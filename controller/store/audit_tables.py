"""Tables of the audit log: who did what, each entry chained to the one before it. Triggers refuse changes of either."""

from sqlalchemy import Column, Integer, Table, Text

from controller.store import tables

metadata = tables.metadata

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True),  # 1, 2, 3 without a gap
    Column("at", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),  # JSON
    Column("sha256", Text, nullable=False),  # core/audit_chain.py says of what
)

# How far the log had come at some time, signed with the key of the authority.
audit_seal = Table(
    "audit_seal",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("sealed_at", Text, nullable=False),
    Column("signature", Text, nullable=False),  # hexadecimal
)
