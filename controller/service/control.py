"""What people and CI say: submit, look, watch, cancel, explain, results."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial

import grpc

from controller.core.content import content_digest, retry_digest
from controller.model.access import CallerRole
from controller.model.job import JobSpec
from controller.model.result import FlagKind, Row
from controller.service import deeds
from controller.service.answers import PAGE_ROWS, answer_of, results_page
from controller.service.audit import audited
from controller.service.bounds import check_job_names, check_key, trim_tasks
from controller.service.certification import Certification
from controller.service.context import ServiceContext
from controller.service.device_changes import device_change
from controller.service.device_pages import described, strangers
from controller.service.files import missing_files
from controller.service.identity import current_caller
from controller.service.pages import cursor_number, page_of, page_of_rows, page_size
from controller.service.removals import Removals
from controller.service.stored_calls import StoredCalls
from controller.service.submissions import Submissions
from controller.store.commands.cancel import cancel
from controller.store.commands.damage import note_found
from controller.store.commands.retry import plan_retry
from controller.store.commands.submit import Submission, plan_job, planning_fleet
from controller.store.queries import devices, engines, explain, forecast, jobs, results
from controller.wire.engine import ENGINE_VIEW
from controller.wire.job import JOB_SPEC
from controller.wire.removal import REMOVED, RETENTION
from controller.wire.view import DEVICE_VIEW, JOB_VIEW, REASON, RESULT_QUERY
from jetfleet.errors import BadInput, JetfleetError, Unreachable
from jetfleet.log_fields import note_fields
from jetfleet.v1 import control_pb2
from jetfleet.version import VERSION

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[object, object]

# Elapsed times move even when nothing else does; a watcher sees at most so many snapshots a second.
_WATCH_S = 1.0
_WATCH_MIN_S = 0.1


class ControlService(StoredCalls):
    def __init__(self, service: ServiceContext, certification: Certification) -> None:
        super().__init__(service)
        self._certification = certification
        self._submissions = Submissions(service)
        self.removals = Removals(service)
        self.watchers = 0

    async def Hello(self, request: control_pb2.HelloRequest, context: Context) -> control_pb2.HelloResponse:
        self.last_call = time.monotonic()
        options = self._service.options
        caller = current_caller()
        answer = control_pb2.HelloResponse(
            version=VERSION,
            state_dir=str(options.state_dir) if caller.role is CallerRole.OWNER else "",
            embedded=options.embedded,
            user=caller.user,
            role=caller.role.value,
        )
        answer.now.GetCurrentTime()
        return answer

    async def SubmitJob(self, request: control_pb2.SubmitJobRequest, context: Context) -> control_pb2.SubmitJobResponse:
        self.last_call = time.monotonic()
        if not request.validate_only:
            check_key(request.idempotency_key)
        spec = await asyncio.to_thread(JOB_SPEC.decode, request.spec)  # may be thousands of variants
        check_job_names(spec)
        if not request.validate_only:
            await self._refuse_missing_files(spec)
        if request.validate_only:
            return await answer_of((await self._planned(spec, key="")).planned)
        key = request.idempotency_key
        submitted = await self._submissions.submit(
            key, content_digest(spec), partial(self._planned, spec, key=key), tell=partial(deeds.submitted_job, spec)
        )
        note_fields(job=submitted.job_id)
        log.info("job %d (%s) submitted", submitted.job_id, spec.name)
        return await answer_of(submitted)

    async def GetJob(self, request: control_pb2.GetJobRequest, context: Context) -> control_pb2.Job:
        self.last_call = time.monotonic()
        return await self._job(request.job_id, await self._past(request.job_id))

    async def ListJobs(self, request: control_pb2.ListJobsRequest, context: Context) -> control_pb2.ListJobsResponse:
        self.last_call = time.monotonic()
        size = page_size(request.limit, usual=50)
        before_id = cursor_number(request.page)
        rows = await self._service.read(partial(jobs.listed_jobs, limit=size + 1, before_id=before_id))
        page, following, unreadable = page_of_rows(rows, size, encode=JOB_VIEW.encode)
        return control_pb2.ListJobsResponse(jobs=page, next_page=following, unreadable=unreadable)

    async def WatchJob(self, request: control_pb2.WatchJobRequest, context: Context) -> AsyncIterator[control_pb2.Job]:
        news = self._service.news
        self.watchers += 1
        try:
            last: control_pb2.Job | None = None
            past = await self._past(request.job_id)
            while True:
                seen = news.count()
                now = await self._job(request.job_id, past)
                if now != last:
                    yield now
                    last = now
                if now.done == now.total:
                    return
                await asyncio.sleep(_WATCH_MIN_S)
                await news.wait(seen, timeout_s=_WATCH_S)
                if self._service.stopping.is_set():
                    raise Unreachable("the controller is stopping", hint="the job goes on when it is back")
        finally:
            self.watchers -= 1
            self.last_call = time.monotonic()

    async def CancelJob(self, request: control_pb2.CancelJobRequest, context: Context) -> control_pb2.Job:
        self.last_call = time.monotonic()
        change = partial(cancel, job_id=request.job_id)
        await self._service.write(audited(change, lambda _: deeds.cancelled_job(request.job_id)))
        note_fields(job=request.job_id)
        log.info("job %d: cancel asked", request.job_id)
        self._service.news.notify_all()
        return await self._job(request.job_id)

    async def RetryJob(self, request: control_pb2.RetryJobRequest, context: Context) -> control_pb2.SubmitJobResponse:
        self.last_call = time.monotonic()
        check_key(request.idempotency_key)
        key = request.idempotency_key
        planned = partial(
            plan_retry,
            job_id=request.job_id,
            alive=self._service.liveness.alive(),
            key=key,
            by=current_caller().user,
        )
        submitted = await self._submissions.submit(
            key,
            retry_digest(request.job_id),
            partial(self._service.read, planned),
            tell=partial(deeds.retried_job, request.job_id),
        )
        note_fields(job=submitted.job_id)
        log.info("job %d retries job %d", submitted.job_id, request.job_id)
        return await answer_of(submitted)

    async def ExplainJob(
        self, request: control_pb2.ExplainJobRequest, context: Context
    ) -> control_pb2.ExplainJobResponse:
        self.last_call = time.monotonic()
        liveness, size = self._service.liveness, page_size(request.limit)
        reasons = await self._service.read(
            partial(
                explain.reasons,
                job_id=request.job_id,
                after_id=cursor_number(request.page),
                limit=size + 1,
                alive=liveness.alive(),
                progress=dict(liveness.progress),
                paused=dict(liveness.paused),
            )
        )
        page, following = page_of(reasons, size, encode=REASON.encode, cursor=lambda reason: str(reason.task_id))
        return control_pb2.ExplainJobResponse(reasons=page, next_page=following)

    async def ListDevices(
        self, request: control_pb2.ListDevicesRequest, context: Context
    ) -> control_pb2.ListDevicesResponse:
        self.last_call = time.monotonic()
        liveness, size = self._service.liveness, page_size(request.limit)
        look = partial(devices.device_views, alive=liveness.alive(), paused=dict(liveness.paused))
        found = await self._service.read(partial(look, after=request.page, limit=size + 1))
        views = described(found, self._service)
        if len(found) <= size:
            views += await strangers(self._service)
        page, following = page_of(views, size, encode=DEVICE_VIEW.encode, cursor=lambda view: view.name)
        return control_pb2.ListDevicesResponse(devices=page, next_page=following)

    async def ChangeDevice(self, request: control_pb2.ChangeDeviceRequest, context: Context) -> control_pb2.Device:
        self.last_call = time.monotonic()
        service, alive = self._service, self._service.liveness.alive()
        look = partial(devices.device_views, alive=alive, paused=dict(service.liveness.paused))
        before = await service.read(look)
        change = device_change(request, alive=alive)
        device_id = await service.write(audited(change, partial(deeds.changed_device, request)))
        if request.HasField("remove"):
            await self._certification.revoke_removed(device_id)
        service.boards.update(await service.read(devices.open_boards))
        service.work.notify_all()
        service.news.notify_all()
        now = await service.read(look)
        log.info("device %s: %s", request.device, request.WhichOneof("change"))
        found = next(view for view in (*now, *before) if view.id == device_id)
        return DEVICE_VIEW.encode(described([found], service)[0])

    async def Results(self, request: control_pb2.ResultsRequest, context: Context) -> control_pb2.ResultsResponse:
        self.last_call = time.monotonic()
        query = RESULT_QUERY.decode(request)
        page = replace(query, limit=min(query.limit, PAGE_ROWS))
        rows = await self._service.read(partial(results.query_rows, query=page))
        await self._note_damage([row for row in rows if row.measurement.verdict == FlagKind.DAMAGED.value])
        return results_page(rows, asked=query.limit)

    async def ListEngines(
        self, request: control_pb2.ListEnginesRequest, context: Context
    ) -> control_pb2.ListEnginesResponse:
        self.last_call = time.monotonic()
        size = page_size(request.limit, usual=50)
        rows = await self._service.read(partial(engines.listed_engines, limit=size + 1, after=request.page))
        page, following, unreadable = page_of_rows(rows, size, encode=ENGINE_VIEW.encode)
        return control_pb2.ListEnginesResponse(engines=page, next_page=following, unreadable=unreadable)

    async def GetEngine(self, request: control_pb2.GetEngineRequest, context: Context) -> control_pb2.Engine:
        self.last_call = time.monotonic()
        look = partial(engines.engine_view, name=request.name, job_id=request.job_id)
        return ENGINE_VIEW.encode(await self._service.read(look))

    async def CollectGarbage(
        self, request: control_pb2.CollectGarbageRequest, context: Context
    ) -> control_pb2.CollectGarbageResponse:
        self.last_call = time.monotonic()
        self.watchers += 1  # an embedded controller does not stop meanwhile
        try:
            return REMOVED.encode(await self.removals.collect(RETENTION.decode(request), by=current_caller()))
        finally:
            self.watchers -= 1
            self.last_call = time.monotonic()

    async def _note_damage(self, rows: Sequence[Row]) -> None:
        """Readers of the views are to see it too; whether it can be written down does not change the answer."""
        if rows:
            try:
                await self._service.write(partial(note_found, rows=rows))
            except JetfleetError as error:
                log.error("%d measurements are damaged, which cannot be noted: %s", len(rows), error.message)

    async def _past(self, job_id: int) -> forecast.Past:
        """What an ETA comes from: read once for a watcher, because it is much to read and hardly changes."""
        return await self._service.read(partial(forecast.past_durations, job_id=job_id))

    async def _job(self, job_id: int, past: forecast.Past | None = None) -> control_pb2.Job:
        liveness = self._service.liveness
        look = partial(
            jobs.job_view, job_id=job_id, progress=dict(liveness.progress), past=past, alive=liveness.alive()
        )
        message = JOB_VIEW.encode(await self._service.read(look))
        trim_tasks(message)
        return message

    async def _planned(self, spec: JobSpec, *, key: str) -> Submission:
        """Planned in a thread: the writer and the other calls go on meanwhile. Raises NoDevice, BadInput."""
        known, built = await self._service.read(partial(planning_fleet, alive=self._service.liveness.alive()))
        return await asyncio.to_thread(plan_job, spec, known, built, key=key, by=current_caller().user)

    async def _refuse_missing_files(self, spec: JobSpec) -> None:
        wanted = {item.sha256 for variant in spec.variants for item in variant.artifacts}
        missing = await missing_files(self._service, wanted)
        if missing:
            raise BadInput(f"the job names {len(missing)} files that were not uploaded, {missing[0][:12]} first")
