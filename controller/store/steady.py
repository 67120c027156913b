"""A clock for deadlines: it counts seconds, survives restarts, and does not jump when somebody sets the wall clock.

It is the kernel's time since boot, suspend included, plus an offset that is kept in the database. In the boot in which
the offset was written it is exact. Across a reboot nothing but the wall clock knows how long the machine was off; what
it says is believed within bounds, and otherwise no time has passed.
"""

import logging
import time
from pathlib import Path

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from controller.store import incidents
from controller.store.clock import now_text, parse

log = logging.getLogger(__name__)

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_LONGEST_OFF_S = 30 * 86400.0


def uptime_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Empty where the kernel does not tell; then every start counts as another boot."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def steady_now(connection: Connection) -> float:
    """Seconds, of which only differences mean something."""
    offset_s = connection.execute(select(incidents.steady_clock.c.offset_s)).scalar()
    return uptime_s() + (offset_s or 0.0)


def resume_clock(connection: Connection) -> None:
    """At a start: goes on where the last controller stopped."""
    table = incidents.steady_clock
    row = connection.execute(select(table)).first()
    if row is None or not (row.boot_id and row.boot_id == boot_id()):
        offset_s = 0.0 if row is None else row.elapsed_s + _off_s(row.noted_at) - uptime_s()
        _write(connection, offset_s)


def note_clock(connection: Connection) -> None:
    """Now and then: how far the clock has come, for a start after a reboot."""
    _write(connection, steady_now(connection) - uptime_s())


def _off_s(noted_at: str) -> float:
    off_s = (parse(now_text()) - parse(noted_at)).total_seconds()
    if 0 <= off_s <= _LONGEST_OFF_S:
        return off_s
    log.warning("the clock says that %.0f s have passed since the last start: deadlines go on as if none had", off_s)
    return 0.0


def _write(connection: Connection, offset_s: float) -> None:
    values = {
        "offset_s": offset_s,
        "elapsed_s": uptime_s() + offset_s,
        "boot_id": boot_id(),
        "noted_at": now_text(),
    }
    statement = insert(incidents.steady_clock).values(id=1, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
