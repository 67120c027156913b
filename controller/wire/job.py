"""What a user asks for, proto <-> model."""

from controller.model.interleaved import Pair, RegressionLimit
from controller.model.job import (
    AccuracyMetric,
    Artifact,
    Condition,
    JobSpec,
    Limits,
    Measure,
    OutputCheck,
    OutputSet,
    ShapeRange,
    Soak,
    Target,
    TensorSpec,
    Variant,
    Workload,
)
from controller.model.labels import check_labels
from controller.wire.codec import message_codec
from jetfleet.blobs import check_digest
from jetfleet.errors import BadInput
from jetfleet.pipeline.steps import Pipeline, PipelineStep, StepArgument
from jetfleet.v1 import control_pb2, task_pb2


def _check_artifact(item: Artifact) -> None:
    check_digest(item.sha256)


def _check_condition(condition: Condition) -> None:
    if not condition.values:
        raise BadInput(f"the condition on {condition.fact!r} has no value")


def _check_limits(limits: Limits) -> None:
    if not limits.build_s or not limits.bench_s:
        raise BadInput("the job has no time limits")
    if limits.deadline_s == 0:
        raise BadInput("a deadline of 0 s", expected="at least 1 s, or none")


def _check_job(spec: JobSpec) -> None:
    """What cannot be planned."""
    if not spec.variants:
        raise BadInput("the job has no variants")
    keys = [item.key for item in spec.variants]
    if len(set(keys)) < len(keys):
        raise BadInput(f"variant keys are not unique: {', '.join(sorted(keys))}")
    for pair in spec.pairs:
        if pair.base == pair.candidate or not {pair.base, pair.candidate} <= set(keys):
            raise BadInput(f"{pair.name} is not a pair of variants of the job", expected=", ".join(sorted(keys)))
    check_labels(spec.labels)


ARTIFACT = message_codec(Artifact, task_pb2.Artifact, check=_check_artifact)
SHAPE_RANGE = message_codec(ShapeRange, task_pb2.ShapeRange)
TENSOR_SPEC = message_codec(TensorSpec, task_pb2.TensorSpec, nested=(SHAPE_RANGE,))
OUTPUT_SET = message_codec(OutputSet, task_pb2.OutputSet)
OUTPUT_CHECK = message_codec(OutputCheck, task_pb2.OutputCheck, nested=(OUTPUT_SET,))
SOAK = message_codec(Soak, task_pb2.Soak)
REGRESSION_LIMIT = message_codec(RegressionLimit, task_pb2.RegressionLimit)
MEASURE = message_codec(
    Measure,
    task_pb2.MeasureOptions,
    nested=(SOAK, REGRESSION_LIMIT),
    names={"min_s": "min_duration", "max_s": "max_duration"},
)
CONDITION = message_codec(Condition, control_pb2.Condition, check=_check_condition)
TARGET = message_codec(Target, control_pb2.Target, nested=(CONDITION,))
STEP_ARGUMENT = message_codec(StepArgument, task_pb2.StepArgument)
PIPELINE_STEP = message_codec(PipelineStep, task_pb2.PipelineStep, nested=(STEP_ARGUMENT,))
PIPELINE = message_codec(Pipeline, task_pb2.Pipeline, nested=(PIPELINE_STEP,))
WORKLOAD = message_codec(Workload, control_pb2.Workload)
ACCURACY_METRIC = message_codec(AccuracyMetric, task_pb2.AccuracyMetric)
VARIANT = message_codec(
    Variant,
    control_pb2.Variant,
    nested=(TENSOR_SPEC, ARTIFACT, OUTPUT_CHECK, PIPELINE, ACCURACY_METRIC, WORKLOAD),
)
LIMITS = message_codec(Limits, control_pb2.Limits, check=_check_limits)
PAIR = message_codec(Pair, control_pb2.Pair)
JOB_SPEC = message_codec(
    JobSpec, control_pb2.JobSpec, nested=(VARIANT, TARGET, MEASURE, LIMITS, PAIR), check=_check_job
)
