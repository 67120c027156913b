"""Engines, proto <-> model: recipes, what their builds told, and engines as people see them."""

from typing import Any

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
from controller.wire.codec import ByHand, message_codec
from controller.wire.job import ARTIFACT, TENSOR_SPEC
from jetfleet.v1 import control_pb2, task_pb2

FALLBACK = message_codec(Fallback, task_pb2.DlaReport.Fallback)
DLA_PLACEMENT = message_codec(DlaPlacement, task_pb2.DlaReport, nested=(FALLBACK,))
TIMING_CACHE_USE = message_codec(
    TimingCacheUse, task_pb2.TimingCacheUse, message_only={"made": "a file of the Built, not of its report"}
)
BUILD_REPORT = message_codec(
    BuildReport,
    task_pb2.Built,
    nested=(TIMING_CACHE_USE, DLA_PLACEMENT),
    message_only=dict.fromkeys(("engine", "build_time", "power_mode"), "of the Built itself"),
)
RECIPE = message_codec(
    Recipe,
    task_pb2.BuildTask,
    nested=(TENSOR_SPEC, ARTIFACT),
    message_only={"engine_key": "half of it is the device class", "timing_caches": "decide no engine"},
)


def _put_report(built: Built) -> dict[str, Any]:
    fields = BUILD_REPORT.fields(built.report)
    if built.timing_cache is not None:
        fields["timing_cache"] = {**(fields["timing_cache"] or {}), "made": ARTIFACT.fields(built.timing_cache)}
    return fields


def _get_report(message: task_pb2.Built) -> dict[str, Any]:
    made = message.timing_cache.made
    return {
        "report": BUILD_REPORT.decode(message),
        "timing_cache": ARTIFACT.decode(made) if made.sha256 else None,
    }


BUILT = message_codec(
    Built,
    task_pb2.Built,
    nested=(ARTIFACT,),
    names={"build_s": "build_time"},
    by_hand=(
        ByHand(
            "the report and the file are one level deeper in the model, or in the message",
            model=("report", "timing_cache"),
            message=tuple(BUILD_REPORT.reads),
            put=_put_report,
            get=_get_report,
        ),
    ),
)
AUDITED = message_codec(Audited, control_pb2.Engine.Audit)
ENGINE_VIEW = message_codec(
    EngineView,
    control_pb2.Engine,
    nested=(BUILT, ARTIFACT, AUDITED),
    by_hand=(
        ByHand(
            "the message of a recipe carries the key",
            model=("key", "recipe"),
            message=("recipe",),
            put=lambda view: {"recipe": {**RECIPE.fields(view.recipe), "engine_key": view.key}},
            get=lambda message: {"key": message.recipe.engine_key, "recipe": RECIPE.decode(message.recipe)},
        ),
        ByHand(
            "pairs of names and values on one side, a message each on the other",
            model=("device_class",),
            message=("class_key", "class_fields"),
            put=lambda view: {
                "class_key": view.device_class.key,
                "class_fields": [{"name": name, "value": value} for name, value in view.device_class.fields],
            },
            get=lambda message: {
                "device_class": DeviceClass(
                    message.class_key, tuple((item.name, item.value) for item in message.class_fields)
                )
            },
        ),
    ),
)
