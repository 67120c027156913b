"""What a controller removes without being asked."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from controller.model.access import Caller
from controller.model.removal import KINDS, Removed, Retention
from controller.service.context import open_context
from controller.service.options import ServeOptions
from controller.service.removals import Removals
from controller.service.retention import LITTER, JumpWatch, retain, retentions
from jetfleet.errors import DiskFull
from testing.processes import ControllerProcess, Process, wait_for


def options(tmp_path, **changes):
    return ServeOptions(tmp_path, retain_every_s=0.01, **changes)


def test_results_stay_unless_somebody_says_how_long(tmp_path) -> None:
    (usual,) = retentions(options(tmp_path))
    assert usual.kinds == LITTER
    assert set(LITTER).isdisjoint({"jobs", "engines", "samples"})
    assert retentions(options(tmp_path, retain_litter_s=None)) == []


def test_age_and_size_are_asked_for_one_by_one(tmp_path) -> None:
    (by_age,) = retentions(options(tmp_path, retain_litter_s=None, retain_s=5.0))
    assert (by_age.older_than_s, by_age.max_bytes, by_age.kinds) == (5.0, None, KINDS)
    (by_size,) = retentions(options(tmp_path, retain_litter_s=None, retain_bytes=7))
    assert (by_size.max_bytes, by_size.kinds) == (7, ())


class Recorder(Removals):
    def __init__(self, service) -> None:
        super().__init__(service)
        self.asked: list[Retention] = []

    async def collect(self, retention: Retention, *, by: Caller) -> Removed:
        self.asked.append(retention)
        if len(self.asked) == 1:
            raise DiskFull("no space left")
        self._service.stopping.set()
        return Removed()


async def test_a_removal_that_fails_is_tried_again_until_the_service_stops(tmp_path) -> None:
    service = open_context(options(tmp_path))
    removals = Recorder(service)
    try:
        await asyncio.wait_for(retain(service, removals), 30)
    finally:
        service.close()
    assert len(removals.asked) == 2


@pytest.mark.parametrize(("jump_s", "jumped"), [(0.0, False), (86400.0, True), (-86400.0, True)])
def test_a_clock_that_jumps_removes_nothing(jump_s: float, jumped: bool) -> None:
    ahead = [0.0]
    watch = JumpWatch(wall=lambda: time.time() + ahead[0])
    assert not watch.has_jumped()
    ahead[0] = jump_s
    assert watch.has_jumped() is jumped
    assert not watch.has_jumped()


_SERVE = """
import sys
from pathlib import Path
from controller.service.options import ServeOptions
from controller.service.server import serve
serve(ServeOptions(Path(sys.argv[1]), retain_every_s=0.2))
"""
_OLD = "INSERT INTO orphan (attempt_token, reason, received_at, outcome) VALUES ('t', 'late', '2001-01-01', x'00')"


def orphans(state: Path, *, change: str = "SELECT 1") -> int:
    with closing(sqlite3.connect(state / "fleet.db")) as connection, connection:
        connection.execute(change)
        return int(connection.execute("SELECT count(*) FROM orphan").fetchone()[0])


def test_a_running_controller_removes_what_is_old(controller: ControllerProcess, keep: Callable[..., Process]) -> None:
    controller.stop()
    assert orphans(controller.state_dir, change=_OLD) == 1
    served = Process(["-c", _SERVE, str(controller.state_dir)], controller.state_dir / "retaining.log")
    keep(served)
    served.start()
    wait_for(lambda: orphans(controller.state_dir) == 0, what="the orphan to be removed")
    served.stop()
    assert served.wait() == 0
