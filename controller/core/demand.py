"""What a task demands of a device, without what only tells tasks apart: few demands, however many tasks. Pure."""

from dataclasses import replace

from controller.model.job import Artifact, Condition, TensorSpec, Variant
from controller.model.task import Candidate, Demand, PlannedBuild, TaskKind


def build_demand(build: PlannedBuild) -> Demand:
    recipe = build.recipe
    return Demand(
        kind=TaskKind.BUILD,
        runtime=recipe.runtime,
        placement=recipe.placement,
        runtime_version=recipe.runtime_version,
        class_key=build.device_class.key,
    )


def bench_demand(variant: Variant, conditions: tuple[Condition, ...], *, second: Variant | None = None) -> Demand:
    """`conditions` are those of an `any` target; `second` is timed in turns with the variant."""
    return Demand(
        kind=TaskKind.BENCH,
        runtime=variant.runtime,
        placement=variant.placement,
        conditions=conditions,
        variant=decisive(variant),
        second=None if second is None else decisive(second),
    )


def decisive(variant: Variant) -> Variant:
    """A variant as far as core.ability looks at it: not its name, batch, files' contents, nor shapes but for ranges."""
    roles = sorted({item.role for item in variant.artifacts}, key=lambda role: role.value)
    return replace(
        variant,
        key="",
        batch=1,
        inputs=tuple(TensorSpec(item.name, item.dtype, (), item.range) for item in variant.inputs),
        artifacts=tuple(Artifact(role, "", "", 0) for role in roles),
    )


def candidate(demand: Demand, *, device_id: str | None = None) -> Candidate:
    """A task of this demand that stands for all of them."""
    return Candidate(
        task_id=0,
        kind=demand.kind,
        job_id=0,
        priority=0,
        runtime=demand.runtime,
        runtime_version=demand.runtime_version,
        placement=demand.placement,
        class_key=demand.class_key,
        device_id=device_id,
        conditions=demand.conditions,
        variant=demand.variant,
        second=demand.second,
    )
