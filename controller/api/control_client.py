"""The Control service in the words of the model: one method per call, none of which needs what a job is made from.

Synchronous, and safe to repeat: a call that got no answer is made again. Errors are the project's own, whether they
were raised here or by the controller.
"""

import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from controller.api.access_client import AccessClient
from controller.api.listing import Devices, Engines, Jobs
from controller.api.pages import listed
from controller.api.results import Results
from controller.api.stored_client import StoredClient
from controller.client.credentials import credentials_for
from controller.client.link import Patience, messages, persistent
from controller.client.transfer import OnProgress, Transfer
from controller.model.engine import EngineView
from controller.model.job import Condition, JobSpec
from controller.model.removal import Removed, Retention
from controller.model.task import JobState
from controller.model.view import ControllerInfo, DeviceView, JobView, Reason, ResultQuery, Submitted
from controller.wire.codec import message_of
from controller.wire.engine import ENGINE_VIEW
from controller.wire.job import JOB_SPEC
from controller.wire.removal import REMOVED, RETENTION
from controller.wire.result import ROW
from controller.wire.view import CONTROLLER_INFO, DEVICE_VIEW, JOB_VIEW, REASON, RESULT_QUERY, SUBMITTED
from jetfleet.errors import JetfleetError, Unreachable
from jetfleet.rpc import CALL_METADATA, raising
from jetfleet.transport import Credentials, open_channel
from jetfleet.v1 import control_pb2, control_pb2_grpc

if TYPE_CHECKING:
    from controller.model.comparison import Axis, ComparisonReport

Self = TypeVar("Self", bound="ControlClient")

_REMOVAL_S = 3600.0  # a large one takes minutes, and is asked for again meanwhile

ENDED = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.TIMED_OUT})


class ControlClient(StoredClient):
    """A controller at a gRPC address (`unix:PATH`, `HOST:50051`). Use as a context manager.

    `credentials` are those of a controller elsewhere; left out, what `controller login` or the environment says.

    `timeout_s` bounds one try of a call, `patience_s` all its tries while nobody answers, and `reconnect_s` the
    silence that `watch` puts up with, long enough for the controller's machine to restart.
    """

    def __init__(
        self,
        address: str,
        *,
        credentials: Credentials | None = None,
        timeout_s: float = 30.0,
        patience_s: float = 10.0,
        reconnect_s: float = 120.0,
    ) -> None:
        self.address = address
        self._timeout_s, self._patience_s, self._reconnect_s = timeout_s, patience_s, reconnect_s
        self._credentials = credentials or credentials_for(address)
        self._channel = open_channel(address, self._credentials)
        self._stub = control_pb2_grpc.ControlStub(self._channel)
        self._files = Transfer(self._channel, address=address, timeout_s=timeout_s, patience_s=patience_s)

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address!r})"

    def close(self) -> None:
        self._channel.close()

    def hello(self, *, timeout_s: float = 5.0) -> ControllerInfo:
        """Who is there. Tried once, so that an absent controller is noticed at once. Raises Unreachable.

        Raises Unauthenticated for a controller that is another than the one that is trusted, or does not know us.
        """
        call = raising(self._stub.Hello, address=self.address)
        try:
            return CONTROLLER_INFO.decode(call(control_pb2.HelloRequest(), timeout=timeout_s))
        except Unreachable as error:
            if self._credentials is None:
                raise
            from jetfleet.handshake import explain_refusal  # a library that only a failure needs

            raise explain_refusal(self.address, self._credentials.ca_pem, error) from None

    def submit_spec(
        self,
        spec: JobSpec,
        files: Mapping[str, Path],
        *,
        idempotency_key: str = "",
        validate_only: bool = False,
        on_progress: OnProgress | None = None,
    ) -> Submitted:
        """Uploads what the controller lacks and submits. With `validate_only` nothing is sent but the plan's question.

        The same key gives the same job, however often it is sent; without one, every call is a new job.
        """
        if not validate_only:
            self._files.upload(files, on_progress=on_progress)
        request = control_pb2.SubmitJobRequest(
            idempotency_key=idempotency_key or str(uuid.uuid4()),
            spec=JOB_SPEC.encode(spec),
            validate_only=validate_only,
        )
        return SUBMITTED.decode(self._call(self._stub.SubmitJob, request))

    def job(self, job_id: int) -> JobView:
        return JOB_VIEW.decode(self._call(self._stub.GetJob, message_of(control_pb2.GetJobRequest, job_id=job_id)))

    def jobs(self, limit: int = 20) -> Jobs:
        """Newest first, without their tasks."""
        ask = partial(self._call, self._stub.ListJobs)
        jobs = Jobs()
        found = listed(ask, control_pb2.ListJobsRequest(), "jobs", limit=limit, note=jobs.note)
        jobs.extend(JOB_VIEW.decode(item) for item in found)
        return jobs

    def watch(self, job_id: int, *, on_drop: Callable[[JetfleetError], None] | None = None) -> Iterator[JobView]:
        """The job now and at every change, until it has ended, across lost links and restarts of the controller.

        `on_drop` hears of each lost link. Raises Unreachable when the silence lasts longer than `reconnect_s`.
        """
        patience = Patience(self._reconnect_s)
        while lost := (yield from self._stream(job_id, patience)):
            if on_drop:
                on_drop(lost)
            patience.wait(lost)

    def _stream(self, job_id: int, patience: Patience) -> Generator[JobView, None, JetfleetError | None]:
        """One stream of `watch`. Returns the error that cut it short; None: the job has ended."""
        request = message_of(control_pb2.WatchJobRequest, job_id=job_id)
        for item in messages(self._stub.WatchJob(request, metadata=tuple(CALL_METADATA)), address=self.address):
            if isinstance(item, JetfleetError):
                return item
            patience.renew()
            view = JOB_VIEW.decode(item)
            yield view
            if view.state in ENDED:
                return None
        return Unreachable(f"the controller at {self.address} ended the stream")

    def wait(self, job_id: int) -> JobView:
        """The job when it has ended."""
        view = self.job(job_id)
        for latest in self.watch(job_id):
            view = latest
        return view

    def cancel(self, job_id: int) -> JobView:
        """Asks every unfinished task to stop; returns the job as it is then, which may not have ended yet."""
        return JOB_VIEW.decode(
            self._call(self._stub.CancelJob, message_of(control_pb2.CancelJobRequest, job_id=job_id))
        )

    def retry(self, job_id: int, *, idempotency_key: str = "") -> Submitted:
        """A new job of what did not succeed in one that is over. The same key gives the same job.

        Raises BadInput if the job is not over, or everything in it succeeded.
        """
        request = message_of(
            control_pb2.RetryJobRequest, job_id=job_id, idempotency_key=idempotency_key or str(uuid.uuid4())
        )
        return SUBMITTED.decode(self._call(self._stub.RetryJob, request))

    def explain(self, job_id: int, *, limit: int | None = None) -> list[Reason]:
        """For every unfinished task: what it waits for."""
        request = message_of(control_pb2.ExplainJobRequest, job_id=job_id)
        found = listed(partial(self._call, self._stub.ExplainJob), request, "reasons", limit=limit)
        return [REASON.decode(item) for item in found]

    def devices(self, limit: int | None = None) -> Devices:
        """By name."""
        ask = partial(self._call, self._stub.ListDevices)
        found = listed(ask, control_pb2.ListDevicesRequest(), "devices", limit=limit)
        return Devices(DEVICE_VIEW.decode(item) for item in found)

    def change_device(self, name: str, **change: Any) -> DeviceView:
        """`rename="b"`, `label={"labels": {...}}`, `cordon="reason"`, `uncordon=True`, `remove={"force": True}` or
        `adopt="id"`; the device as it is then. Raises NotFound, BadInput, Conflict.
        """
        request = control_pb2.ChangeDeviceRequest(device=name, **change)
        return DEVICE_VIEW.decode(self._call(self._stub.ChangeDevice, request))

    def engines(self, limit: int = 50) -> Engines:
        """Those that are still wanted, then the newest, without what `engine` tells beyond it."""
        ask = partial(self._call, self._stub.ListEngines)
        engines = Engines()
        found = listed(ask, control_pb2.ListEnginesRequest(), "engines", limit=limit, note=engines.note)
        engines.extend(ENGINE_VIEW.decode(item) for item in found)
        return engines

    def engine(self, name: str, *, job_id: int = 0) -> EngineView:
        """One engine by its key, the key's first digits, or the key of a variant that uses it (of a job, if given).

        Raises NotFound for none, BadInput for several.
        """
        request = message_of(control_pb2.GetEngineRequest, name=name, job_id=job_id)
        return ENGINE_VIEW.decode(self._call(self._stub.GetEngine, request))

    def results(self, query: ResultQuery | None = None) -> Results:
        """Newest first; no query: everything, up to its limit. Asked for page by page."""
        query = query or ResultQuery()
        found = Results()
        while True:
            left = replace(query, limit=query.limit - len(found))
            reply = self._call(self._stub.Results, RESULT_QUERY.encode(left))
            found.extend(ROW.decode(item) for item in reply.rows)
            if not reply.more or len(found) >= query.limit:
                return found
            query = replace(query, before_id=found[-1].measurement_id)

    def compare(
        self,
        jobs: Sequence[int | Submitted],
        *,
        by: "Axis | str | None" = None,
        baseline: str = "",
        across: Sequence[str] = (),
        conditions: tuple[Condition, ...] = (),
        variant_keys: tuple[str, ...] = (),
        metric: str = "p50_ms",
        margin: float | None = None,
        false_alarms: float | None = None,
    ) -> "ComparisonReport":
        """Each variant, device or job against the baseline one, with an answer and its reason for every row.

        `by` is device, variant or job; left out, whatever the jobs have several of. `baseline` is a variant key, a
        device's name or a job's id; left out, the oldest job, the fp32 variant of the smallest batch, the first device
        by name. `across` names facts that may differ, `conditions` and `variant_keys` leave rows out. Answers are about
        `metric`; two are the same within `margin`, and `false_alarms` is the chance that any answer tells a difference
        where there is none: 1 % each, or what a job with pairs asked for. Raises NotFound, BadInput.
        """
        from controller.api.compare import compare_jobs  # statistics, whose imports other calls do not owe

        job_ids = [job if isinstance(job, int) else job.job_id for job in jobs]
        for job_id in job_ids:
            self.job(job_id)  # a job that does not exist is a mistake, not an empty table
        return compare_jobs(
            self.results,
            job_ids,
            by=by,
            baseline=baseline,
            across=across,
            conditions=conditions,
            variant_keys=variant_keys,
            metric=metric,
            margin=margin,
            false_alarms=false_alarms,
        )

    def access(self) -> AccessClient:
        """Tokens, invitations and revocations."""
        return AccessClient(self._channel, self._call)

    def collect_garbage(self, retention: Retention) -> Removed:
        """Removes what is old or too much, or with `dry_run` says what would be; returns once it is done."""
        call = raising(self._stub.CollectGarbage, address=self.address)
        request = RETENTION.encode(retention)
        patience = Patience(_REMOVAL_S)
        return REMOVED.decode(persistent(lambda: call(request, timeout=self._timeout_s), patience=patience))

    def download(self, sha256: str, path: Path, *, on_progress: OnProgress | None = None) -> None:
        """A file by digest (a log, samples, an engine), verified; continues where an earlier try stopped."""
        self._files.download(sha256, path, on_progress=on_progress)

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        call = raising(method, address=self.address)
        return persistent(lambda: call(request, timeout=self._timeout_s), patience=Patience(self._patience_s))
