"""Which way a precision takes on which TensorRT, and what is refused with which words. Pure."""

import pytest

from agent.runtime.tensorrt.ability import Ability
from agent.runtime.tensorrt.precision import PrecisionPlan, lower
from jetfleet.errors import BadInput
from jetfleet.tensorrt import line_of
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_CALIBRATION,
    ARTIFACT_ROLE_MODEL_FP16,
    ARTIFACT_ROLE_MODEL_FP32,
    ARTIFACT_ROLE_MODEL_QDQ,
    LOWERING_BUILDER_FLAGS,
    LOWERING_TYPED_GRAPH,
    LOWERING_UNSPECIFIED,
    PRECISION_FP16,
    PRECISION_FP32,
    PRECISION_INT8,
    PRECISION_TF32,
    Artifact,
    BuildTask,
)

FP32, FP16, QDQ = ARTIFACT_ROLE_MODEL_FP32, ARTIFACT_ROLE_MODEL_FP16, ARTIFACT_ROLE_MODEL_QDQ
CALIBRATION = ARTIFACT_ROLE_CALIBRATION
ANY, TYPED, FLAGS = LOWERING_UNSPECIFIED, LOWERING_TYPED_GRAPH, LOWERING_BUILDER_FLAGS


def able(*version: int) -> Ability:
    return Ability(
        label=f"TensorRT {'.'.join(map(str, version))}",
        version=version,
        weak=version < (11,),
        typed=version >= (10,),
        line=line_of(".".join(map(str, version))),
        progress_monitor=version >= (10,),
        caches=True,
    )


OLD, MIDDLE, NEW = able(8, 6, 2), able(10, 3, 0), able(11, 4, 1)


def task(precision: int, roles: "tuple[int, ...]", lowering: int = ANY, placement: str = "gpu") -> BuildTask:
    artifacts = [Artifact(role=role, name=str(role)) for role in roles]
    return BuildTask(precision=precision, lowering=lowering, placement=placement, artifacts=artifacts)


ALL = (FP32, FP16, QDQ, CALIBRATION)
INT8_FLAGS = ("INT8", "FP16")


@pytest.mark.parametrize(
    ("asked", "on", "wanted"),
    [
        (task(PRECISION_FP32, ALL), OLD, PrecisionPlan(FP32, typed=False)),
        (task(PRECISION_FP32, ALL), MIDDLE, PrecisionPlan(FP32, typed=True)),
        (task(PRECISION_TF32, ALL), OLD, PrecisionPlan(FP32, typed=False, tf32=True)),
        (task(PRECISION_TF32, ALL), NEW, PrecisionPlan(FP32, typed=True, tf32=True)),
        (task(PRECISION_FP16, ALL), OLD, PrecisionPlan(FP32, typed=False, flags=("FP16",))),
        (task(PRECISION_FP16, (FP16,)), OLD, PrecisionPlan(FP16, typed=False, flags=("FP16",))),
        (task(PRECISION_FP16, ALL), MIDDLE, PrecisionPlan(FP16, typed=True)),
        (task(PRECISION_FP16, ALL, FLAGS), MIDDLE, PrecisionPlan(FP32, typed=False, flags=("FP16",))),
        (task(PRECISION_INT8, ALL), OLD, PrecisionPlan(FP32, typed=False, flags=INT8_FLAGS, calibrate=True)),
        (task(PRECISION_INT8, (FP32, QDQ)), OLD, PrecisionPlan(QDQ, typed=False, flags=INT8_FLAGS)),
        (task(PRECISION_INT8, (QDQ, CALIBRATION)), OLD, PrecisionPlan(QDQ, typed=False, flags=INT8_FLAGS)),
        (task(PRECISION_INT8, ALL), MIDDLE, PrecisionPlan(QDQ, typed=True)),
        (task(PRECISION_INT8, ALL), NEW, PrecisionPlan(QDQ, typed=True)),
        (task(PRECISION_FP16, ALL, placement="dla"), MIDDLE, PrecisionPlan(FP32, typed=False, flags=("FP16",))),
        (
            task(PRECISION_INT8, ALL, placement="dla"),
            MIDDLE,
            PrecisionPlan(FP32, typed=False, flags=INT8_FLAGS, calibrate=True),
        ),
        (task(PRECISION_INT8, ALL, placement="dla"), NEW, PrecisionPlan(QDQ, typed=True)),
    ],
)
def test_a_precision_takes_its_way(asked: BuildTask, on: Ability, wanted: PrecisionPlan) -> None:
    assert lower(asked, on) == wanted


@pytest.mark.parametrize(
    ("asked", "on", "words", "instead"),
    [
        (task(PRECISION_FP16, ALL, TYPED), OLD, "TensorRT 8.6.2 has no strongly typed networks", "lowering: flags"),
        (task(PRECISION_FP16, ALL, FLAGS), NEW, "TensorRT 11.4.1 has no precision flags", "lowering: typed"),
        (task(PRECISION_INT8, (FP32, CALIBRATION)), NEW, "comes from a graph with Q/DQ pairs", "calibration data"),
        (task(PRECISION_INT8, (FP32,), FLAGS), MIDDLE, "int8 needs ranges", "calibration data"),
        (task(PRECISION_INT8, (FP32, QDQ), placement="dla"), MIDDLE, "from calibration alone", "calibration data"),
        (task(PRECISION_FP16, (FP32,), TYPED), MIDDLE, "made from the fp16 graph", ""),
        (task(PRECISION_FP32, (FP16,), FLAGS), MIDDLE, "made from the fp32 graph", ""),
        (task(PRECISION_FP16, (QDQ,)), OLD, "made from the fp32 graph", ""),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason_and_the_way_out(
    asked: BuildTask, on: Ability, words: str, instead: str
) -> None:
    with pytest.raises(BadInput) as refused:
        lower(asked, on)
    assert words in refused.value.message
    assert instead in refused.value.hint
    assert refused.value.where in ("lowering", "precision")
