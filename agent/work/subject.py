"""One subject of a BENCH up to its timing: loaded, its outputs checked, its accuracy taken."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from agent.attempt import AttemptDir
from agent.pipeline.callables import UserFunctions
from agent.pipeline.open import open_pipeline
from agent.runtime.arrays import Tensor, read_npy
from agent.runtime.base import Report, Runtime, Session
from agent.work.accuracy import TOP1, evaluate, meter_of
from agent.work.checks import check_flags, check_outputs, rule_for
from jetfleet.circumstances import MANNER, STREAMS
from jetfleet.placement import CPU, Placement
from jetfleet.plural import counted
from jetfleet.stand_ins import draw, words_for
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_EVALUATION_INPUT,
    ARTIFACT_ROLE_EVALUATION_LABELS,
    ARTIFACT_ROLE_REFERENCE_INPUT,
    ARTIFACT_ROLE_REFERENCE_OUTPUT,
    FLAG_KIND_WRONG_OUTPUT,
    ArtifactRole,
    Flag,
    Measurement,
    OutputCheck,
    Subject,
    TensorCheck,
)


@dataclass(frozen=True)
class LoadedSubject:
    """A loaded subject with what is known before it is timed; its inputs are bound, unless its outputs are wrong."""

    subject: Subject
    runtime: Runtime
    session: Session
    checks: Sequence[TensorCheck]
    flags: Sequence[Flag]
    accuracy: Mapping[str, float] = field(default_factory=dict)  # by the names of jetfleet.metrics
    accuracy_n: int = 0
    evaluation_s: float = 0.0
    described: Mapping[str, str] = field(default_factory=dict)  # by the session, when it was opened

    @property
    def is_wrong(self) -> bool:
        return any(flag.kind == FLAG_KIND_WRONG_OUTPUT for flag in self.flags)

    @property
    def on_cpu(self) -> bool:
        return Placement(self.subject.placement or CPU).is_cpu

    def label(self, measurement: Measurement, index: int) -> Measurement:
        """The measurement, with everything that was known without timing."""
        measurement.subject_index = index
        measurement.provenance = self.runtime.provenance
        measurement.processes = 1
        chosen = {item.name: self.described[item.name] for item in MANNER if item.name in self.described}
        if self.subject.streams > 1:
            chosen[STREAMS] = str(self.subject.streams)
        measurement.circumstances.update(chosen)
        measurement.checks.extend(self.checks)
        measurement.flags.extend([*self.flags, *self.subject.flags])
        measurement.accuracy_n = self.accuracy_n
        for name, value in self.accuracy.items():
            measurement.metrics[name].value = value
        return measurement


def load_and_check(
    runtime: Runtime, subject: Subject, attempt: AttemptDir, report: Report, *, is_first: bool = True
) -> LoadedSubject:
    """Outputs first: what answers wrongly is not timed. Raises what the runtime raises, and leaves no session then.

    Accuracy is taken by the first of several processes alone: it is the engine's.
    """
    report("load", None, f"opening {subject.runtime}")
    users = UserFunctions(subject.artifacts, attempt.locate)
    session = runtime.load(attempt.locate(subject.engine), subject, attempt.locate)
    try:
        report("check", None, "the first inference")
        inputs = bound_inputs(subject, attempt)
        checks, flags = _check(session, subject, inputs, attempt)
        loaded = LoadedSubject(subject, runtime, session, checks, flags, described=session.describe())
        if loaded.is_wrong:
            return loaded
        if is_first:
            loaded = _add_accuracy(loaded, attempt, report, users)
        session.bind(inputs)
        if subject.HasField("pipeline"):
            report("check", None, "the frames of the pipeline")
            session = open_pipeline(session, subject, attempt.locate, inputs, users)
        return replace(loaded, session=session, described=session.describe())
    except BaseException:
        session.close()
        raise


def check_stream(session: Session, subject: Subject, attempt: AttemptDir) -> list[Flag]:
    """Binds the subject's inputs in one more session of it. WRONG_OUTPUT where that answers wrongly."""
    _, flags = _check(session, subject, bound_inputs(subject, attempt), attempt)
    return [flag for flag in flags if flag.kind == FLAG_KIND_WRONG_OUTPUT]


def _add_accuracy(loaded: LoadedSubject, attempt: AttemptDir, report: Report, users: UserFunctions) -> LoadedSubject:
    begin = time.monotonic()
    accuracy, evaluated = _evaluate(loaded.session, loaded.subject, attempt, report, users)
    return replace(loaded, accuracy=accuracy, accuracy_n=evaluated, evaluation_s=time.monotonic() - begin)


def bound_inputs(subject: Subject, attempt: AttemptDir) -> dict[str, Tensor]:
    """The reference inputs; for a tensor without one, a stand-in by its name and type, from a fixed seed."""
    found = _tensors(subject, ARTIFACT_ROLE_REFERENCE_INPUT, attempt)
    random = np.random.default_rng(0)
    for spec in subject.inputs:
        if spec.name not in found:
            words = words_for(spec.name, spec.dtype, rank=len(spec.shape))
            found[spec.name] = draw(words, tuple(spec.shape), spec.dtype, generator=random)
    return found


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


def _evaluate(
    session: Session, subject: Subject, attempt: AttemptDir, report: Report, users: UserFunctions
) -> tuple[dict[str, float], int]:
    """The accuracy by each metric and the number of samples it was taken over, where the task brings labels."""
    labels = list(_tensors(subject, ARTIFACT_ROLE_EVALUATION_LABELS, attempt).values())
    if not labels:
        return {}, 0
    report("evaluate", None, f"{counted(len(labels[0]), 'sample')}")
    wanted = {item.name: item.function for item in subject.accuracy_metrics} or {TOP1: ""}
    meters = {
        name: meter_of(name, users.find(function) if function else None, output=subject.accuracy_output)
        for name, function in wanted.items()
    }

    def run(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        session.bind(inputs)
        session.infer()
        return session.outputs()

    samples = _tensors(subject, ARTIFACT_ROLE_EVALUATION_INPUT, attempt)
    specs, batch = subject.inputs, max(subject.batch, 1)
    return evaluate(run, samples, labels[0], meters, specs=specs, batch=batch), len(labels[0])


def _tensors(subject: Subject, role: "ArtifactRole.ValueType", attempt: AttemptDir) -> dict[str, Tensor]:
    return {
        item.name: read_npy(attempt.locate(item), name=item.name) for item in subject.artifacts if item.role == role
    }
