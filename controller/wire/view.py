"""What people see, proto <-> model."""

from controller.model.task import JobState, Progress, TaskKind, TaskState
from controller.model.view import (
    ControllerInfo,
    DeviceView,
    JobView,
    PlannedTask,
    Reason,
    ResultQuery,
    Submitted,
    TaskView,
)
from controller.wire.facts import facts_from_pb, facts_to_pb
from controller.wire.job import artifact_from_pb, artifact_to_pb, condition_to_pb, conditions_from_pb
from controller.wire.result import failure_from_pb, failure_to_pb
from controller.wire.time import from_timestamp, to_timestamp
from jetfleet.v1 import control_pb2, task_pb2


def progress_to_pb(progress: Progress) -> task_pb2.Progress:
    return task_pb2.Progress(phase=progress.phase, fraction=progress.fraction, detail=progress.detail)


def progress_from_pb(message: task_pb2.Progress) -> Progress:
    return Progress(message.phase, message.fraction if message.HasField("fraction") else None, message.detail)


def task_view_to_pb(view: TaskView) -> control_pb2.Task:
    return control_pb2.Task(
        id=view.id,
        kind=view.kind.value,
        name=view.name,
        state=view.state.value,
        device=view.device,
        attempts=view.attempts,
        progress=progress_to_pb(view.progress) if view.progress else None,
        failure=failure_to_pb(view.failure) if view.failure else None,
        because_of_task=view.because_of_task or 0,
        log_sha256=view.log_sha256,
        elapsed_s=view.elapsed_s,
        logs=[artifact_to_pb(item) for item in view.logs],
    )


def task_view_from_pb(message: control_pb2.Task) -> TaskView:
    return TaskView(
        id=message.id,
        kind=TaskKind(message.kind),
        name=message.name,
        state=TaskState(message.state),
        device=message.device,
        attempts=message.attempts,
        progress=progress_from_pb(message.progress) if message.HasField("progress") else None,
        failure=failure_from_pb(message.failure) if message.HasField("failure") else None,
        because_of_task=message.because_of_task or None,
        log_sha256=message.log_sha256,
        elapsed_s=message.elapsed_s if message.HasField("elapsed_s") else None,
        logs=tuple(artifact_from_pb(item) for item in message.logs),
    )


def job_view_to_pb(view: JobView) -> control_pb2.Job:
    return control_pb2.Job(
        id=view.id,
        name=view.name,
        state=view.state.value,
        created_at=to_timestamp(view.created_at),
        tasks=[task_view_to_pb(task) for task in view.tasks],
        done=view.done,
        total=view.total,
        retry_of=view.retry_of,
        deadline_at=to_timestamp(view.deadline_at) if view.deadline_at else None,
        eta_s=view.eta_s,
    )


def job_view_from_pb(message: control_pb2.Job) -> JobView:
    return JobView(
        id=message.id,
        name=message.name,
        state=JobState(message.state),
        created_at=from_timestamp(message.created_at),
        tasks=tuple(task_view_from_pb(task) for task in message.tasks),
        done=message.done,
        total=message.total,
        retry_of=message.retry_of if message.HasField("retry_of") else None,
        deadline_at=from_timestamp(message.deadline_at) if message.HasField("deadline_at") else None,
        eta_s=message.eta_s if message.HasField("eta_s") else None,
    )


def submitted_to_pb(submitted: Submitted) -> control_pb2.SubmitJobResponse:
    return control_pb2.SubmitJobResponse(
        job_id=submitted.job_id,
        tasks=[
            control_pb2.PlannedTask(
                kind=task.kind.value,
                name=task.name,
                device=task.device,
                engine_key=task.engine_key,
                reused=task.reused,
            )
            for task in submitted.tasks
        ],
        repeated_request=submitted.repeated_request,
        notes=submitted.notes,
    )


def submitted_from_pb(message: control_pb2.SubmitJobResponse) -> Submitted:
    return Submitted(
        job_id=message.job_id,
        tasks=tuple(
            PlannedTask(TaskKind(task.kind), task.name, task.device, task.engine_key, task.reused)
            for task in message.tasks
        ),
        repeated_request=message.repeated_request,
        notes=tuple(message.notes),
    )


def device_view_to_pb(view: DeviceView) -> control_pb2.Device:
    return control_pb2.Device(
        id=view.id,
        name=view.name,
        online=view.online,
        busy_with=view.busy_with,
        cordoned=view.cordoned,
        facts=facts_to_pb(view.facts),
        last_seen_at=to_timestamp(view.last_seen_at),
        bench_domain=view.bench_domain,
        agent_version=view.agent_version,
    )


def device_view_from_pb(message: control_pb2.Device) -> DeviceView:
    return DeviceView(
        id=message.id,
        name=message.name,
        online=message.online,
        busy_with=message.busy_with,
        cordoned=message.cordoned,
        facts=facts_from_pb(message.facts),
        last_seen_at=from_timestamp(message.last_seen_at),
        bench_domain=message.bench_domain,
        agent_version=message.agent_version,
    )


def reason_to_pb(reason: Reason) -> control_pb2.ExplainJobResponse.Reason:
    return control_pb2.ExplainJobResponse.Reason(
        task_id=reason.task_id, task_name=reason.task_name, state=reason.state.value, why=reason.why
    )


def reason_from_pb(message: control_pb2.ExplainJobResponse.Reason) -> Reason:
    return Reason(message.task_id, message.task_name, TaskState(message.state), message.why)


def result_query_to_pb(query: ResultQuery) -> control_pb2.ResultsRequest:
    return control_pb2.ResultsRequest(
        job_ids=query.job_ids,
        conditions=[condition_to_pb(item) for item in query.conditions],
        variant_keys=query.variant_keys,
        limit=query.limit,
        before_id=query.before_id or 0,
    )


def result_query_from_pb(message: control_pb2.ResultsRequest) -> ResultQuery:
    return ResultQuery(
        job_ids=tuple(message.job_ids),
        conditions=conditions_from_pb(message.conditions),
        variant_keys=tuple(message.variant_keys),
        limit=message.limit or 1000,
        before_id=message.before_id or None,
    )


def controller_info_from_pb(message: control_pb2.HelloResponse) -> ControllerInfo:
    return ControllerInfo(message.version, message.state_dir, message.embedded)
