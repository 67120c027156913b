"""The controller's side task: leases nobody renewed, silent boards, deadlines, and an embedded controller's end."""

import asyncio
import logging
import time
from functools import partial

from controller.model.codec import load_facts
from controller.model.facts import OWN_ENGINES_ONLY
from controller.service.context import ServiceContext
from controller.service.control import ControlService
from controller.service.seals import AuditSeals
from controller.store.commands.blobs import match_inventory
from controller.store.commands.deadlines import time_out_overdue
from controller.store.commands.depart import depart, leave
from controller.store.commands.lost_files import give_up
from controller.store.commands.renew import expire, touch
from controller.store.commands.submit import settle_unfinished
from controller.store.queries import jobs
from controller.store.queries.devices import open_boards
from controller.store.queries.jobs import overdue_jobs
from controller.store.queries.leases import open_attempts
from controller.store.queries.lost_files import sought_blobs
from controller.store.steady import note_clock, resume_clock
from jetfleet.errors import JetfleetError, StateGone

log = logging.getLogger(__name__)

_TOUCH_S = 10.0


async def adopt(service: ServiceContext) -> None:
    """After a restart: whoever was working or waiting gets a fresh term to be heard from."""
    await service.write(resume_clock)
    tokens = await service.read(open_attempts)
    service.liveness.renew(tokens)
    for session_id, board in (await service.read(open_boards)).items():
        service.liveness.hear(session_id)
        service.boards[session_id] = board
    if not service.options.foreign_engines:
        await _register_again(service)
    inventory = await asyncio.to_thread(service.blobs.inventory)
    if gone := await service.write(partial(match_inventory, sizes=inventory)):
        log.warning("%d files are gone, %s first: agents that hold them are asked for them", len(gone), gone[0][:12])
    service.recall.seek(await service.read(sought_blobs))
    if removed := await service.write(settle_unfinished):
        log.warning("jobs %s were not written to the end, and are removed: submit them again", removed)


async def reap(service: ServiceContext, control: ControlService, seals: AuditSeals) -> None:
    """Runs until the service stops. A full disk or a slow one is logged and tried again; a bug ends the controller,
    and so does a state folder that is gone (StateGone).
    """
    period_s = min(1.0, service.options.lease_s / 10)
    touched = time.monotonic()
    while not service.stopping.is_set():
        await asyncio.sleep(period_s)
        _refuse_lost_state(service)
        try:
            await _expire(service)
            await _unbind(service)
            await _time_out(service)
            await _give_up(service)
            if time.monotonic() - touched > _TOUCH_S:
                touched = time.monotonic()
                await service.write(partial(touch, session_ids=service.liveness.alive()))
                await service.write(note_clock)
                await seals.seal_when_due()
            if service.options.embedded and await _is_idle(service, control):
                log.info("idle for %.0f s: an embedded controller stops", service.options.idle_s)
                service.stop()
        except JetfleetError:
            log.exception("the reaper could not do its work, and will try again")


async def _register_again(service: ServiceContext) -> None:
    """Boards that were planned for with engines of others: they register again, and are planned for anew."""
    for session_id, board in list(service.boards.items()):
        if load_facts(board.facts).get(OWN_ENGINES_ONLY) is not True:
            await service.write(partial(leave, session_id=session_id, reason="engines of others are off"))
            service.liveness.forget(session_id)
            service.boards.pop(session_id)


def _refuse_lost_state(service: ServiceContext) -> None:
    """Raises StateGone: what would be acknowledged from here on could not be found again."""
    if not service.writer.is_in_place():
        raise StateGone(
            f"the database in {service.options.state_dir} was removed or replaced while this controller ran",
            hint="restore the folder from a backup and start the controller again",
        )


async def _expire(service: ServiceContext) -> None:
    tokens = service.liveness.overdue()
    if tokens:
        tasks = await service.write(partial(expire, tokens=tokens, after_s=service.options.lease_s))
        log.warning("%d leases expired, tasks %s", len(tokens), tasks)
        for token in tokens:
            service.liveness.end(token)
        service.news.notify_all()


async def _unbind(service: ServiceContext) -> None:
    """A BENCH that any board may run does not wait for one that is gone."""
    silent = service.liveness.silent()
    if silent:
        freed = await service.write(partial(depart, session_ids=silent))
        log.warning("sessions %s are silent; %d tasks given to others", [item[:8] for item in silent], freed)
        for session_id in silent:
            service.liveness.forget(session_id)
            service.recall.forget(session_id)
            service.boards.pop(session_id, None)
        service.news.notify_all()


async def _time_out(service: ServiceContext) -> None:
    if await service.read(overdue_jobs):
        late = await service.write(time_out_overdue)
        log.warning("the deadline of jobs %s has passed", late)
        service.news.notify_all()


async def _give_up(service: ServiceContext) -> None:
    """Files that no agent holds: engines are built again."""
    if hopeless := service.recall.hopeless(service.liveness.alive()):
        await service.write(partial(give_up, digests=hopeless))
        log.warning("no agent holds these files, which are lost: %s", [item[:12] for item in hopeless])
        service.news.notify_all()


async def _is_idle(service: ServiceContext, control: ControlService) -> bool:
    quiet = not control.watchers and time.monotonic() - control.last_call > service.options.idle_s
    return quiet and not await service.read(jobs.any_live_task)
