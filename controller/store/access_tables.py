"""Tables of who may do what: tokens, invitations, and the certificates of boards. Secrets are here as digests only."""

from sqlalchemy import Column, Integer, Table, Text

from controller.store import tables

metadata = tables.metadata

# A person's or a CI system's. A name is used once: what was done under it stays that one's.
token = Table(
    "token",
    metadata,
    Column("name", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("secret_sha256", Text, nullable=False, unique=True),
    Column("created_at", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Text),  # null: never
    Column("revoked_at", Text),
)

# One board may enrol with it, once.
invitation = Table(
    "invitation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("secret_sha256", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),  # empty: the board's own choice
    Column("labels", Text, nullable=False),  # JSON
    Column("created_at", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("used_at", Text),
    Column("used_by", Text),  # the device
)

# A board that enrolled, with its newest certificate. The id is the one that its certificates name.
member = Table(
    "member",
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("name", Text, nullable=False),  # as the invitation says
    Column("labels", Text, nullable=False),  # JSON, as the invitation says
    Column("hardware_serial", Text, nullable=False),
    Column("key_sha256", Text, nullable=False),
    Column("enrolled_at", Text, nullable=False),
    Column("issued_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("revoked_at", Text),  # certificates issued until then are not valid
)
