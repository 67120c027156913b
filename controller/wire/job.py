"""What a user asks for, proto <-> model."""

from collections.abc import Iterable

from controller.model.job import (
    Artifact,
    CheckRule,
    Condition,
    JobSpec,
    Limits,
    Measure,
    Mode,
    OutputCheck,
    OutputSet,
    ShapeRange,
    Target,
    TensorSpec,
    Variant,
)
from controller.wire import enums
from jetfleet.blobs import check_digest
from jetfleet.errors import BadInput
from jetfleet.v1 import control_pb2, task_pb2


def artifact_to_pb(item: Artifact) -> task_pb2.Artifact:
    return task_pb2.Artifact(role=enums.ROLE[item.role], name=item.name, sha256=item.sha256, size_bytes=item.size_bytes)


def artifact_from_pb(item: task_pb2.Artifact) -> Artifact:
    """Raises BadInput for an unknown role or a digest that is none."""
    if item.role not in enums.ROLE_FROM:
        raise BadInput(f"artifact {item.name!r} has no role that this version knows")
    return Artifact(enums.ROLE_FROM[item.role], item.name, check_digest(item.sha256), item.size_bytes)


def tensor_to_pb(spec: TensorSpec) -> task_pb2.TensorSpec:
    message = task_pb2.TensorSpec(name=spec.name, dtype=spec.dtype, shape=spec.shape)
    if spec.range is not None:
        message.range.CopyFrom(task_pb2.ShapeRange(min=spec.range.min, opt=spec.range.opt, max=spec.range.max))
    return message


def tensor_from_pb(spec: task_pb2.TensorSpec) -> TensorSpec:
    shapes = spec.range
    found = ShapeRange(tuple(shapes.min), tuple(shapes.opt), tuple(shapes.max)) if spec.HasField("range") else None
    return TensorSpec(spec.name, spec.dtype, tuple(spec.shape), found)


def check_to_pb(check: OutputCheck) -> task_pb2.OutputCheck:
    return task_pb2.OutputCheck(
        min_slice_cosine=check.min_slice_cosine,
        max_norm_error=check.max_norm_error,
        outputs={name: check_to_pb(item) for name, item in check.outputs.items()},
        sets=[task_pb2.OutputSet(outputs=item.outputs) for item in check.sets],
        rule=enums.CHECK_RULE[check.rule],
        rtol=check.rtol,
        atol=check.atol,
        min_cosine=check.min_cosine,
        min_agreement=check.min_agreement,
    )


def check_from_pb(check: task_pb2.OutputCheck) -> OutputCheck:
    return OutputCheck(
        rule=enums.CHECK_RULE_FROM.get(check.rule, CheckRule.OFF),
        rtol=check.rtol,
        atol=check.atol,
        min_cosine=check.min_cosine,
        min_agreement=check.min_agreement,
        min_slice_cosine=check.min_slice_cosine if check.HasField("min_slice_cosine") else None,
        max_norm_error=check.max_norm_error if check.HasField("max_norm_error") else None,
        outputs={name: check_from_pb(item) for name, item in check.outputs.items()},
        sets=tuple(OutputSet(tuple(item.outputs)) for item in check.sets),
    )


def measure_to_pb(measure: Measure) -> task_pb2.MeasureOptions:
    message = task_pb2.MeasureOptions(mode=enums.MODE[measure.mode])
    message.warmup.FromNanoseconds(round(measure.warmup_s * 1e9))
    message.min_duration.FromNanoseconds(round(measure.min_s * 1e9))
    message.max_duration.FromNanoseconds(round(measure.max_s * 1e9))
    return message


def measure_from_pb(message: task_pb2.MeasureOptions) -> Measure:
    return Measure(
        mode=enums.MODE_FROM.get(message.mode, Mode.LATENCY),
        warmup_s=message.warmup.ToNanoseconds() / 1e9,
        min_s=message.min_duration.ToNanoseconds() / 1e9,
        max_s=message.max_duration.ToNanoseconds() / 1e9,
    )


def condition_to_pb(condition: Condition) -> control_pb2.Condition:
    return control_pb2.Condition(fact=condition.fact, op=enums.OP[condition.op], values=condition.values)


def condition_from_pb(condition: control_pb2.Condition) -> Condition:
    if condition.op not in enums.OP_FROM or not condition.values:
        raise BadInput(f"the condition on {condition.fact!r} has no operator or no value")
    return Condition(condition.fact, enums.OP_FROM[condition.op], tuple(condition.values))


def conditions_from_pb(conditions: Iterable[control_pb2.Condition]) -> tuple[Condition, ...]:
    return tuple(condition_from_pb(item) for item in conditions)


def target_to_pb(target: Target) -> control_pb2.Target:
    return control_pb2.Target(
        quantifier=enums.QUANTIFIER[target.quantifier],
        conditions=[condition_to_pb(item) for item in target.conditions],
    )


def target_from_pb(target: control_pb2.Target) -> Target:
    if target.quantifier not in enums.QUANTIFIER_FROM:
        raise BadInput("a target is neither `every` nor `any`")
    return Target(enums.QUANTIFIER_FROM[target.quantifier], conditions_from_pb(target.conditions))


def variant_to_pb(variant: Variant) -> control_pb2.Variant:
    return control_pb2.Variant(
        key=variant.key,
        runtime=variant.runtime,
        precision=enums.PRECISION[variant.precision],
        batch=variant.batch,
        placement=variant.placement,
        inputs=[tensor_to_pb(item) for item in variant.inputs],
        artifacts=[artifact_to_pb(item) for item in variant.artifacts],
        check=check_to_pb(variant.check),
        options=dict(variant.options),
    )


def variant_from_pb(variant: control_pb2.Variant) -> Variant:
    if variant.precision not in enums.PRECISION_FROM:
        raise BadInput(f"variant {variant.key!r} has no precision that this version knows")
    return Variant(
        key=variant.key,
        runtime=variant.runtime,
        precision=enums.PRECISION_FROM[variant.precision],
        batch=variant.batch,
        placement=variant.placement,
        inputs=tuple(tensor_from_pb(item) for item in variant.inputs),
        artifacts=tuple(artifact_from_pb(item) for item in variant.artifacts),
        check=check_from_pb(variant.check),
        options=dict(variant.options),
    )


def limits_to_pb(limits: Limits) -> control_pb2.Limits:
    return control_pb2.Limits(build_s=limits.build_s, bench_s=limits.bench_s, deadline_s=limits.deadline_s)


def limits_from_pb(message: control_pb2.Limits) -> Limits:
    if not message.build_s or not message.bench_s:
        raise BadInput("the job has no time limits")
    if message.HasField("deadline_s") and not message.deadline_s:
        raise BadInput("a deadline of 0 s", expected="at least 1 s, or none")
    return Limits(message.build_s, message.bench_s, message.deadline_s if message.HasField("deadline_s") else None)


def job_spec_to_pb(spec: JobSpec) -> control_pb2.JobSpec:
    return control_pb2.JobSpec(
        name=spec.name,
        model_name=spec.model_name,
        variants=[variant_to_pb(item) for item in spec.variants],
        targets=[target_to_pb(item) for item in spec.targets],
        measure=measure_to_pb(spec.measure),
        limits=limits_to_pb(spec.limits),
        priority=spec.priority,
        source=spec.source,
    )


def job_spec_from_pb(spec: control_pb2.JobSpec) -> JobSpec:
    """Raises BadInput where the message asks for what cannot be planned."""
    keys = [item.key for item in spec.variants]
    if not keys or not spec.targets:
        raise BadInput("the job has no variants or no targets")
    if len(set(keys)) < len(keys):
        raise BadInput(f"variant keys are not unique: {', '.join(sorted(keys))}")
    return JobSpec(
        name=spec.name,
        model_name=spec.model_name,
        variants=tuple(variant_from_pb(item) for item in spec.variants),
        targets=tuple(target_from_pb(item) for item in spec.targets),
        measure=measure_from_pb(spec.measure),
        limits=limits_from_pb(spec.limits),
        priority=spec.priority,
        source=spec.source,
    )
