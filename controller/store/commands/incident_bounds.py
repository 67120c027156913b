"""Results that do not count are kept for people, and only so many of each device: the oldest make room."""

import logging

from sqlalchemy import Connection, text

log = logging.getLogger(__name__)

MOST_KEPT = 100
MOST_KEPT_BYTES = 16 << 20
_DROP = """
DELETE FROM {table} WHERE id IN (
  SELECT id FROM (
    SELECT id, row_number() OVER newest AS place, sum(length(outcome)) OVER newest AS size_bytes
    FROM {table} WHERE device_id = :device WINDOW newest AS (ORDER BY id DESC)
  ) WHERE place > :most OR (place > 1 AND size_bytes > :most_bytes)
)
"""

_COUNT = "UPDATE device SET dropped_results = dropped_results + :dropped WHERE id = :device"


def keep_newest(
    connection: Connection, table: str, device_id: str, *, most: int = MOST_KEPT, most_bytes: int = MOST_KEPT_BYTES
) -> int:
    """Drops the oldest rows of `orphan` or `dead_letter` beyond the bounds of a device; returns how many."""
    values = {"device": device_id, "most": most, "most_bytes": most_bytes}
    dropped = int(connection.execute(text(_DROP.replace("{table}", table)), values).rowcount)
    if dropped:
        connection.execute(text(_COUNT), {"device": device_id, "dropped": dropped})
        log.warning("device %s: %d older results that do not count were dropped (%s)", device_id, dropped, table)
    return dropped
