"""Work on its way out, results on their way in."""

from controller.model.lease import (
    BenchWork,
    BuildWork,
    Directive,
    Lease,
    Measured,
    Outcome,
    Registration,
    Returned,
    Subject,
)
from controller.model.task import Failure, FailureKind
from controller.wire import enums
from controller.wire.engine import built_from_pb, recipe_to_pb
from controller.wire.facts import facts_from_pb
from controller.wire.job import artifact_from_pb, artifact_to_pb, check_to_pb, measure_to_pb, tensor_to_pb
from controller.wire.result import failure_from_pb, flag_to_pb, measurement_from_pb
from controller.wire.time import to_duration
from jetfleet.errors import BadInput
from jetfleet.v1 import fleet_pb2, task_pb2

DIRECTIVE = {item: fleet_pb2.RenewResponse.Directive.Value(f"DIRECTIVE_{item.name}") for item in Directive}


def registration_from_pb(message: fleet_pb2.RegisterRequest) -> Registration:
    """Raises BadInput where an identity is missing."""
    for name in ("device_id", "session_id", "boot_id", "bench_domain"):
        if not getattr(message, name):
            raise BadInput(f"a registration without {name}")
    return Registration(
        device_id=message.device_id,
        session_id=message.session_id,
        boot_id=message.boot_id,
        hardware_serial=message.hardware_serial,
        bench_domain=message.bench_domain,
        agent_version=message.agent_version,
        name=message.name,
        facts=facts_from_pb(message.facts),
        held=tuple(message.held_attempts),
    )


def lease_to_pb(lease: Lease, *, lease_s: float) -> fleet_pb2.Lease:
    spec = task_pb2.TaskSpec(task_id=lease.task_id, name=lease.name, time_limit=to_duration(lease.time_limit_s))
    if isinstance(lease.work, BenchWork):
        spec.bench.CopyFrom(_bench_to_pb(lease.work))
    else:
        spec.build.CopyFrom(_build_to_pb(lease.work))
    return fleet_pb2.Lease(attempt_token=lease.token, duration=to_duration(lease_s), task=spec)


def outcome_from_pb(message: task_pb2.Outcome) -> Outcome:
    """Raises BadInput for an outcome that says nothing."""
    which = message.WhichOneof("end")
    artifacts = tuple(artifact_from_pb(item) for item in message.artifacts)
    peak = message.peak_rss_bytes or None
    raw = message.SerializeToString()
    if which == "built":
        return Outcome(built_from_pb(message.built), artifacts, peak, raw)
    if which == "measured":
        measurements = tuple(measurement_from_pb(item) for item in message.measured.measurements)
        return Outcome(Measured(measurements), artifacts, peak, raw)
    if which == "failure":
        return Outcome(failure_from_pb(message.failure), artifacts, peak, raw)
    if which == "returned":
        return Outcome(Returned(message.returned.reason), artifacts, peak, raw)
    raise BadInput("an outcome that is neither built, measured, failure nor returned")


def unusable(reason: str, raw: bytes) -> Outcome:
    """What an outcome becomes that cannot be taken as it is."""
    return Outcome(Failure(FailureKind.INFRASTRUCTURE, reason), (), None, raw)


def _build_to_pb(work: BuildWork) -> task_pb2.BuildTask:
    message = recipe_to_pb(work.engine_key, work.recipe)
    message.timing_caches.extend(artifact_to_pb(item) for item in work.timing_caches)
    return message


def _bench_to_pb(work: BenchWork) -> task_pb2.BenchTask:
    return task_pb2.BenchTask(
        schedule=enums.SCHEDULE[work.schedule],
        subjects=[_subject_to_pb(item) for item in work.subjects],
        measure=measure_to_pb(work.measure),
    )


def _subject_to_pb(subject: Subject) -> task_pb2.Subject:
    return task_pb2.Subject(
        variant_key=subject.variant_key,
        engine_key=subject.engine_key,
        engine=artifact_to_pb(subject.engine),
        placement=subject.placement,
        streams=subject.streams,
        batch=subject.batch,
        runtime=subject.runtime,
        runtime_version=subject.runtime_version,
        precision=enums.PRECISION[subject.precision],
        inputs=[tensor_to_pb(item) for item in subject.inputs],
        artifacts=[artifact_to_pb(item) for item in subject.artifacts],
        check=check_to_pb(subject.check),
        options=dict(subject.options),
        flags=[flag_to_pb(item) for item in subject.flags],
    )
