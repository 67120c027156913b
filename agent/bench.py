"""One BENCH inside the child: load the engine, check its outputs first, and time it only if they are right."""

from collections.abc import Mapping

import numpy as np

from agent.attempt import AttemptDir
from agent.audit import AUDITED, evidence, precision_flags
from agent.device.contention import Contention, interference
from agent.measure import Limits, check_options, record
from agent.npy import Tensor, read_npy, write_npy
from agent.parity import check_flags, check_outputs, rule_for, top1_accuracy
from agent.runtime.base import Report, Runtime, Session
from agent.runtime.registry import open_runtime
from agent.summary import summarise, untimed
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_EVALUATION_INPUT,
    ARTIFACT_ROLE_EVALUATION_LABELS,
    ARTIFACT_ROLE_REFERENCE_INPUT,
    ARTIFACT_ROLE_REFERENCE_OUTPUT,
    ARTIFACT_ROLE_SAMPLES,
    FLAG_KIND_WRONG_OUTPUT,
    ArtifactRole,
    BenchTask,
    Flag,
    Measured,
    Measurement,
    Outcome,
    OutputCheck,
    Subject,
    TensorCheck,
)


def run_bench(task: BenchTask, attempt: AttemptDir, report: Report, notes: dict[str, str]) -> Outcome:
    """Measures the subject; `notes` takes the session's configuration, for the environment record."""
    limits = check_options(task)
    subject = task.subjects[0]
    report("load", None, f"opening {subject.runtime}")
    runtime = open_runtime(subject.runtime)
    session = runtime.load(attempt.locate(subject.engine), subject, attempt.locate)
    notes.update(session.describe())
    measurement = _measure(session, subject, limits, attempt, report, notes)
    session.close()
    if measurement.n and subject.precision in AUDITED:
        measurement.flags.extend(_audit(runtime, subject, attempt, report, notes))
    measurement.subject_index = 0
    measurement.provenance = runtime.provenance
    measurement.processes = 1
    return Outcome(measured=Measured(measurements=[measurement]))


def _measure(
    session: Session,
    subject: Subject,
    limits: Limits,
    attempt: AttemptDir,
    report: Report,
    notes: dict[str, str],
) -> Measurement:
    report("check", None, "")
    inputs = _inputs(subject, attempt)
    checks, flags = _check(session, subject, inputs, attempt)
    if any(flag.kind == FLAG_KIND_WRONG_OUTPUT for flag in flags):
        measurement = untimed("not timed: the outputs are wrong")
        measurement.checks.extend(checks)
        measurement.flags.extend(flags)
        return measurement
    accuracy, evaluated = _evaluate(session, subject, attempt, report)
    session.bind(inputs)
    contention = Contention()
    recording = record(session, limits, report)
    if subject.runtime != "simulated":  # what never ran cannot have been disturbed
        share = contention.share()
        flags += interference(share)
        notes["waited_for_cpu"] = "unknown" if share is None else f"{share:.2%}"
    report("summarise", None, "")
    measurement = summarise(recording, subject.batch)
    measurement.checks.extend(checks)
    measurement.flags.extend(flags)
    if accuracy is not None:
        measurement.accuracy, measurement.accuracy_n = accuracy, evaluated
    samples = attempt.root / "samples.part"
    write_npy(samples, np.concatenate(recording.rounds))
    measurement.samples.CopyFrom(attempt.publish(samples, ARTIFACT_ROLE_SAMPLES, "samples-0.npy"))
    return measurement


def _check(
    session: Session, subject: Subject, inputs: Mapping[str, Tensor], attempt: AttemptDir
) -> tuple[list[TensorCheck], list[Flag]]:
    rule = rule_for(subject.check, subject.precision)
    session.bind(inputs)
    session.infer()
    if rule.rule == OutputCheck.RULE_OFF:
        return [], check_flags([], rule)
    checks = check_outputs(session.outputs(), _tensors(subject, ARTIFACT_ROLE_REFERENCE_OUTPUT, attempt), rule)
    return checks, check_flags(checks, rule)


def _evaluate(session: Session, subject: Subject, attempt: AttemptDir, report: Report) -> tuple[float | None, int]:
    """Top-1 accuracy and the number of samples it was taken over, where the task brings labels."""
    labels = list(_tensors(subject, ARTIFACT_ROLE_EVALUATION_LABELS, attempt).values())
    if not labels:
        return None, 0
    report("evaluate", None, f"{len(labels[0])} samples")

    def run(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        session.bind(inputs)
        session.infer()
        return session.outputs()

    samples = _tensors(subject, ARTIFACT_ROLE_EVALUATION_INPUT, attempt)
    accuracy = top1_accuracy(run, samples, labels[0], specs=subject.inputs, batch=max(subject.batch, 1))
    return accuracy, len(labels[0])


def _audit(
    runtime: Runtime, subject: Subject, attempt: AttemptDir, report: Report, notes: dict[str, str]
) -> list[Flag]:
    """Flags for a precision that was asked for and did not run; after the timing, in a session that is not timed."""
    report("audit", None, "")
    scratch = attempt.root / "audit"
    scratch.mkdir()
    kernels = runtime.inspect(attempt.locate(subject.engine), subject, _inputs(subject, attempt), scratch).kernels
    if kernels:
        notes["precision"] = evidence(kernels)
    return precision_flags(subject.precision, kernels)


def _inputs(subject: Subject, attempt: AttemptDir) -> dict[str, Tensor]:
    """The reference inputs; for a tensor without one, noise from a fixed seed, zeros for integers."""
    found = _tensors(subject, ARTIFACT_ROLE_REFERENCE_INPUT, attempt)
    random = np.random.default_rng(0)
    for spec in subject.inputs:
        if spec.name not in found:
            dtype, shape = np.dtype(spec.dtype), tuple(spec.shape)
            floating = dtype.kind == "f"
            found[spec.name] = random.standard_normal(shape).astype(dtype) if floating else np.zeros(shape, dtype)
    return found


def _tensors(subject: Subject, role: "ArtifactRole.ValueType", attempt: AttemptDir) -> dict[str, Tensor]:
    return {
        item.name: read_npy(attempt.locate(item), name=item.name) for item in subject.artifacts if item.role == role
    }
