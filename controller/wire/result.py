"""Outcomes and measurements, proto <-> model."""

from typing import Literal

from controller.model.job import Mode
from controller.model.result import (
    Estimate,
    Flag,
    Measurement,
    Provenance,
    Round,
    Row,
    Schedule,
    Stage,
    TensorCheck,
)
from controller.model.task import Failure, FailureKind
from controller.wire import enums
from controller.wire.facts import facts_from_pb, facts_to_pb
from controller.wire.job import artifact_from_pb, artifact_to_pb
from controller.wire.time import from_timestamp, to_timestamp
from jetfleet.errors import BadInput
from jetfleet.v1 import control_pb2, task_pb2


def failure_to_pb(failure: Failure) -> task_pb2.Failure:
    return task_pb2.Failure(
        kind=enums.FAILURE[failure.kind],
        message=failure.message,
        phase=failure.phase,
        exit_code=failure.exit_code,
        signal=failure.signal,
        peak_rss_bytes=failure.peak_rss_bytes,
    )


def failure_from_pb(failure: task_pb2.Failure) -> Failure:
    return Failure(
        kind=enums.FAILURE_FROM.get(failure.kind, FailureKind.INFRASTRUCTURE),
        message=failure.message,
        phase=failure.phase,
        exit_code=failure.exit_code if failure.HasField("exit_code") else None,
        signal=failure.signal if failure.HasField("signal") else None,
        peak_rss_bytes=failure.peak_rss_bytes if failure.HasField("peak_rss_bytes") else None,
    )


def estimate_to_pb(estimate: Estimate) -> task_pb2.Estimate:
    return task_pb2.Estimate(value=estimate.value, low=estimate.low, high=estimate.high, reason=estimate.reason)


def estimate_from_pb(message: task_pb2.Estimate) -> Estimate:
    return Estimate(
        value=message.value if message.HasField("value") else None,
        low=message.low if message.HasField("low") else None,
        high=message.high if message.HasField("high") else None,
        reason=message.reason,
    )


def flag_to_pb(flag: Flag) -> task_pb2.Flag:
    return task_pb2.Flag(kind=enums.FLAG[flag.kind], evidence=flag.evidence)


def check_to_pb(check: TensorCheck) -> task_pb2.TensorCheck:
    return task_pb2.TensorCheck(
        tensor=check.tensor,
        passed=check.passed,
        max_abs=check.max_abs,
        max_rel=check.max_rel,
        cosine=check.cosine,
        snr_db=check.snr_db,
        top1_agreement=check.top1_agreement,
        equal_share=check.equal_share,
        detail=check.detail,
        norm_ratio=check.norm_ratio,
        worst_slice=check.worst_slice,
        worst_slice_cosine=check.worst_slice_cosine,
        worst_slice_norm_ratio=check.worst_slice_norm_ratio,
        weakness=check.weakness,
    )


_Metric = Literal[
    "max_abs",
    "max_rel",
    "cosine",
    "snr_db",
    "top1_agreement",
    "equal_share",
    "norm_ratio",
    "worst_slice_cosine",
    "worst_slice_norm_ratio",
]


def check_from_pb(message: task_pb2.TensorCheck) -> TensorCheck:
    def metric(name: _Metric) -> float | None:
        return float(getattr(message, name)) if message.HasField(name) else None

    return TensorCheck(
        tensor=message.tensor,
        passed=message.passed,
        max_abs=metric("max_abs"),
        max_rel=metric("max_rel"),
        cosine=metric("cosine"),
        snr_db=metric("snr_db"),
        top1_agreement=metric("top1_agreement"),
        equal_share=metric("equal_share"),
        detail=message.detail,
        norm_ratio=metric("norm_ratio"),
        worst_slice=message.worst_slice,
        worst_slice_cosine=metric("worst_slice_cosine"),
        worst_slice_norm_ratio=metric("worst_slice_norm_ratio"),
        weakness=message.weakness,
    )


def measurement_to_pb(item: Measurement) -> task_pb2.Measurement:
    message = task_pb2.Measurement(
        subject_index=item.subject_index,
        provenance=enums.PROVENANCE[item.provenance],
        n=item.n,
        p50_ms=estimate_to_pb(item.p50_ms),
        p90_ms=estimate_to_pb(item.p90_ms),
        p99_ms=estimate_to_pb(item.p99_ms),
        mean_ms=item.mean_ms,
        std_ms=item.std_ms,
        min_ms=item.min_ms,
        max_ms=item.max_ms,
        throughput_per_s=item.throughput_per_s,
        warmup_n=item.warmup_n,
        rounds=[task_pb2.Round(n=row.n, p50_ms=row.p50_ms, mean_ms=row.mean_ms) for row in item.rounds],
        stages=[task_pb2.Stage(name=row.name, p50_ms=row.p50_ms, mean_ms=row.mean_ms) for row in item.stages],
        checks=[check_to_pb(row) for row in item.checks],
        accuracy=item.accuracy,
        accuracy_n=item.accuracy_n,
        flags=[flag_to_pb(row) for row in item.flags],
        samples=artifact_to_pb(item.samples) if item.samples else None,
        processes=item.processes,
        dla_time_share=item.dla_time_share,
    )
    message.window.FromNanoseconds(round(item.window_s * 1e9))
    message.warmup.FromNanoseconds(round(item.warmup_s * 1e9))
    return message


_Optional = Literal["mean_ms", "std_ms", "min_ms", "max_ms", "throughput_per_s", "accuracy", "dla_time_share"]


def measurement_from_pb(message: task_pb2.Measurement) -> Measurement:
    """Raises BadInput for a number without provenance: it could be anything."""
    if message.provenance not in enums.PROVENANCE_FROM:
        raise BadInput("a measurement says neither MEASURED nor SIMULATED")

    def optional(name: _Optional) -> float | None:
        return float(getattr(message, name)) if message.HasField(name) else None

    return Measurement(
        subject_index=message.subject_index if message.HasField("subject_index") else None,
        provenance=Provenance(enums.PROVENANCE_FROM[message.provenance]),
        n=message.n,
        p50_ms=estimate_from_pb(message.p50_ms),
        p90_ms=estimate_from_pb(message.p90_ms),
        p99_ms=estimate_from_pb(message.p99_ms),
        mean_ms=optional("mean_ms"),
        std_ms=optional("std_ms"),
        min_ms=optional("min_ms"),
        max_ms=optional("max_ms"),
        throughput_per_s=optional("throughput_per_s"),
        window_s=message.window.ToNanoseconds() / 1e9,
        warmup_s=message.warmup.ToNanoseconds() / 1e9,
        warmup_n=message.warmup_n,
        rounds=tuple(Round(row.n, row.p50_ms, row.mean_ms) for row in message.rounds),
        stages=tuple(Stage(row.name, row.p50_ms, row.mean_ms) for row in message.stages),
        checks=tuple(check_from_pb(row) for row in message.checks),
        accuracy=optional("accuracy"),
        accuracy_n=message.accuracy_n,
        flags=tuple(Flag(enums.FLAG_FROM[row.kind], row.evidence) for row in message.flags),
        samples=artifact_from_pb(message.samples) if message.HasField("samples") else None,
        processes=message.processes,
        dla_time_share=optional("dla_time_share"),
    )


def row_to_pb(row: Row) -> control_pb2.Row:
    message = control_pb2.Row(
        measurement_id=row.measurement_id,
        job_id=row.job_id,
        job_name=row.job_name,
        model_name=row.model_name,
        variant_key=row.variant_key,
        device=row.device,
        verdict=row.measurement.verdict,
        measurement=measurement_to_pb(row.measurement),
        facts=facts_to_pb(row.facts),
        engine_key=row.engine_key,
        runtime=row.runtime,
        runtime_version=row.runtime_version,
        precision=enums.PRECISION[row.precision],
        batch=row.batch,
        placement=row.placement,
        measured_at=to_timestamp(row.measured_at),
        schedule=enums.SCHEDULE[row.schedule],
        mode=enums.MODE[row.mode],
    )
    if row.lowering is not None:
        message.lowering = enums.LOWERING[row.lowering]
    return message


def row_from_pb(message: control_pb2.Row) -> Row:
    return Row(
        measurement_id=message.measurement_id,
        job_id=message.job_id,
        job_name=message.job_name,
        model_name=message.model_name,
        variant_key=message.variant_key,
        device=message.device,
        runtime=message.runtime,
        runtime_version=message.runtime_version,
        precision=enums.PRECISION_FROM[message.precision],
        batch=message.batch,
        placement=message.placement,
        engine_key=message.engine_key,
        measured_at=from_timestamp(message.measured_at),
        facts=facts_from_pb(message.facts),
        measurement=measurement_from_pb(message.measurement),
        schedule=enums.SCHEDULE_FROM.get(message.schedule, Schedule.ALONE),
        mode=enums.MODE_FROM.get(message.mode, Mode.LATENCY),
        lowering=enums.LOWERING_FROM.get(message.lowering),
    )
