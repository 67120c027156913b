"""What a BENCH is told of a variant: what it runs and checks. What built the engine stays with the controller. Pure."""

from controller.model.job import BUILD_ROLES, Artifact, Role, Variant
from controller.model.lease import Subject
from controller.model.result import Flag, FlagKind
from jetfleet.options import run_options

# The reference and the evaluation data; the graph that the engine was built from stays where it is.
_CHECKED = frozenset(Role) - BUILD_ROLES


def subject_of(
    variant: Variant,
    *,
    engine_key: str,
    engine: Artifact,
    runtime_version: str,
    placement: str,
    streams: int,
    batch: int,
    flags: tuple[Flag, ...] = (),
) -> Subject:
    """A variant's engine on one of its placements; `flags` are what the engine's build left."""
    return Subject(
        variant_key=variant.key,
        engine_key=engine_key,
        engine=engine,
        placement=placement,
        streams=streams,
        batch=batch,
        runtime=variant.runtime,
        runtime_version=runtime_version,
        precision=variant.precision,
        inputs=variant.inputs,
        artifacts=tuple(item for item in variant.artifacts if item.role in _CHECKED),
        check=variant.check,
        options=run_options(variant.options, runtime=variant.runtime, placement=placement),
        flags=flags + _calibration_flags(variant),
        accuracy_output=variant.accuracy_output,
        pipeline=variant.pipeline,
        accuracy_metrics=variant.accuracy_metrics,
    )


def _calibration_flags(variant: Variant) -> tuple[Flag, ...]:
    if not variant.weak_calibration:
        return ()
    return (Flag(FlagKind.WEAK_CALIBRATION, variant.weak_calibration),)
