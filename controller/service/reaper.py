"""The controller's side task: leases nobody renewed, silent boards, deadlines, and an embedded controller's end."""

import asyncio
import logging
import time
from functools import partial

from controller.service.context import House
from controller.service.control import ControlService
from controller.store.commands import claim as leases
from controller.store.commands import deadlines
from controller.store.commands import register as devices
from controller.store.commands import submit as plans
from controller.store.queries import jobs
from jetfleet.errors import JetfleetError

log = logging.getLogger(__name__)

_TOUCH_S = 10.0


async def adopt(house: House) -> None:
    """After a restart: whoever was working or waiting gets a fresh term to be heard from."""
    tokens = await house.read(leases.open_attempts)
    house.pulse.renew(tokens)
    for session_id, bench_domain in (await house.read(devices.open_sessions)).items():
        house.pulse.hear(session_id)
        house.rooms[session_id] = bench_domain


async def reap(house: House, control: ControlService) -> None:
    """Runs until the house stops. A full disk or a slow one is logged and tried again; a bug ends the controller."""
    period_s = min(1.0, house.options.lease_s / 10)
    touched = time.monotonic()
    while not house.stopping.is_set():
        await asyncio.sleep(period_s)
        try:
            await _expire(house)
            await _unbind(house)
            await _time_out(house)
            if time.monotonic() - touched > _TOUCH_S:
                touched = time.monotonic()
                await house.write(partial(devices.touch, session_ids=house.pulse.alive()))
            if house.options.embedded and await _is_idle(house, control):
                log.info("idle for %.0f s: an embedded controller stops", house.options.idle_s)
                house.stop()
        except JetfleetError:
            log.exception("the reaper could not do its work, and will try again")


async def _expire(house: House) -> None:
    tokens = house.pulse.overdue()
    if tokens:
        tasks = await house.write(partial(leases.expire, tokens=tokens, after_s=house.options.lease_s))
        log.warning("%d leases expired, tasks %s", len(tokens), tasks)
        for token in tokens:
            house.pulse.end(token)
        house.changed()


async def _unbind(house: House) -> None:
    """A BENCH that any board may run does not wait for one that is gone."""
    silent = house.pulse.silent()
    if silent:
        freed = await house.write(partial(plans.unbind_sessions, session_ids=silent))
        log.warning("sessions %s are silent; %d tasks given to others", [item[:8] for item in silent], freed)
        for session_id in silent:
            house.pulse.forget(session_id)
        house.changed()


async def _time_out(house: House) -> None:
    if await house.read(deadlines.overdue_jobs):
        late = await house.write(deadlines.time_out_overdue)
        log.warning("the deadline of jobs %s has passed", late)
        house.changed()


async def _is_idle(house: House, control: ControlService) -> bool:
    quiet = not control.watchers and time.monotonic() - control.last_call > house.options.idle_s
    return quiet and not await house.read(jobs.any_live_task)
