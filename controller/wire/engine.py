"""Engines, proto <-> model: recipes, what their builds told, and engines as people see them."""

from typing import Literal

from controller.model.engine import (
    Audited,
    BuildReport,
    Built,
    DlaPlacement,
    EngineView,
    Fallback,
    TimingCacheUse,
)
from controller.model.task import DeviceClass, Recipe
from controller.wire import enums
from controller.wire.job import artifact_from_pb, artifact_to_pb, tensor_from_pb, tensor_to_pb
from controller.wire.time import from_timestamp, to_timestamp
from jetfleet.v1 import control_pb2, task_pb2

_Optional = Literal["peak_rss_bytes", "peak_device_bytes", "device_memory_bytes", "tactics_skipped"]


def recipe_to_pb(engine_key: str, recipe: Recipe) -> task_pb2.BuildTask:
    return task_pb2.BuildTask(
        engine_key=engine_key,
        runtime=recipe.runtime,
        runtime_version=recipe.runtime_version,
        precision=enums.PRECISION[recipe.precision],
        lowering=enums.LOWERING[recipe.lowering],
        placement=recipe.placement,
        inputs=[tensor_to_pb(item) for item in recipe.inputs],
        artifacts=[artifact_to_pb(item) for item in recipe.artifacts],
        options=dict(recipe.options),
    )


def recipe_from_pb(message: task_pb2.BuildTask) -> Recipe:
    return Recipe(
        runtime=message.runtime,
        runtime_version=message.runtime_version,
        precision=enums.PRECISION_FROM[message.precision],
        lowering=enums.LOWERING_FROM[message.lowering],
        placement=message.placement,
        inputs=tuple(tensor_from_pb(item) for item in message.inputs),
        artifacts=tuple(artifact_from_pb(item) for item in message.artifacts),
        options=dict(message.options),
    )


def built_to_pb(built: Built) -> task_pb2.Built:
    report = built.report
    message = task_pb2.Built(
        engine=artifact_to_pb(built.engine),
        power_mode=built.power_mode,
        peak_rss_bytes=report.peak_rss_bytes,
        peak_device_bytes=report.peak_device_bytes,
        device_memory_bytes=report.device_memory_bytes,
        tactics_skipped=report.tactics_skipped,
        timing_cache=_timing_to_pb(report.timing_cache) if report.timing_cache else None,
        dla=_dla_to_pb(report.dla) if report.dla else None,
        warnings=report.warnings,
    )
    if built.timing_cache is not None:
        message.timing_cache.made.CopyFrom(artifact_to_pb(built.timing_cache))
    message.build_time.FromNanoseconds(round(built.build_s * 1e9))
    return message


def built_from_pb(message: task_pb2.Built) -> Built:
    """Raises BadInput for a file without a digest."""

    def optional(name: _Optional) -> int | None:
        return int(getattr(message, name)) if message.HasField(name) else None

    use = message.timing_cache
    report = BuildReport(
        peak_rss_bytes=optional("peak_rss_bytes"),
        peak_device_bytes=optional("peak_device_bytes"),
        device_memory_bytes=optional("device_memory_bytes"),
        tactics_skipped=optional("tactics_skipped"),
        timing_cache=_timing_from_pb(use) if message.HasField("timing_cache") else None,
        dla=_dla_from_pb(message.dla) if message.HasField("dla") else None,
        warnings=tuple(message.warnings),
    )
    return Built(
        engine=artifact_from_pb(message.engine),
        build_s=message.build_time.ToNanoseconds() / 1e9,
        power_mode=message.power_mode if message.HasField("power_mode") else None,
        report=report,
        timing_cache=artifact_from_pb(use.made) if use.made.sha256 else None,
    )


def engine_view_to_pb(view: EngineView) -> control_pb2.Engine:
    return control_pb2.Engine(
        recipe=recipe_to_pb(view.key, view.recipe),
        class_key=view.device_class.key,
        class_fields=[
            control_pb2.Engine.ClassField(name=name, value=value) for name, value in view.device_class.fields
        ],
        built=built_to_pb(view.built) if view.built else None,
        built_on=view.built_on,
        built_at=to_timestamp(view.built_at) if view.built_at else None,
        variants=view.variants,
        files=[artifact_to_pb(item) for item in view.files],
        audit=control_pb2.Engine.Audit(**vars(view.audit)) if view.audit else None,
    )


def engine_view_from_pb(message: control_pb2.Engine) -> EngineView:
    audit = message.audit
    return EngineView(
        key=message.recipe.engine_key,
        recipe=recipe_from_pb(message.recipe),
        device_class=DeviceClass(message.class_key, tuple((field.name, field.value) for field in message.class_fields)),
        built=built_from_pb(message.built) if message.HasField("built") else None,
        built_on=message.built_on,
        built_at=from_timestamp(message.built_at) if message.HasField("built_at") else None,
        variants=tuple(message.variants),
        files=tuple(artifact_from_pb(item) for item in message.files),
        audit=Audited(audit.measurement_id, audit.job_id, audit.device, audit.verdict, audit.precision)
        if message.HasField("audit")
        else None,
    )


def _timing_to_pb(use: TimingCacheUse) -> task_pb2.TimingCacheUse:
    return task_pb2.TimingCacheUse(handed=use.handed, hits=use.hits, misses=use.misses)


def _timing_from_pb(message: task_pb2.TimingCacheUse) -> TimingCacheUse:
    return TimingCacheUse(
        handed=tuple(message.handed),
        hits=message.hits if message.HasField("hits") else None,
        misses=message.misses if message.HasField("misses") else None,
    )


def _dla_to_pb(dla: DlaPlacement) -> task_pb2.DlaReport:
    return task_pb2.DlaReport(
        layers_on_dla=dla.layers_on_dla,
        layers_on_gpu=dla.layers_on_gpu,
        subgraphs=dla.subgraphs,
        fallbacks=[task_pb2.DlaReport.Fallback(**vars(item)) for item in dla.fallbacks],
    )


def _dla_from_pb(message: task_pb2.DlaReport) -> DlaPlacement:
    fallbacks = tuple(Fallback(item.layer, item.type, item.reason) for item in message.fallbacks)
    return DlaPlacement(message.layers_on_dla, message.layers_on_gpu, message.subgraphs, fallbacks)
