"""How a precision reaches a TensorRT engine, and which ways a TensorRT or a placement does not have. Pure.

Two ways: a strongly typed network takes the types from the graph; a weakly typed one takes flags, and INT8 ranges from
a calibrator. Every refusal names the reason and what to do instead.
"""

from collections.abc import Collection
from dataclasses import dataclass

from agent.runtime.tensorrt.ability import Ability
from jetfleet.errors import BadInput
from jetfleet.placement import Placement
from jetfleet.tensorrt import DLA_PRECISIONS, DLA_RELEASES
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_CALIBRATION,
    ARTIFACT_ROLE_MODEL_FP16,
    ARTIFACT_ROLE_MODEL_FP32,
    ARTIFACT_ROLE_MODEL_QDQ,
    ARTIFACT_ROLE_MODEL_QDQ_DLA,
    LOWERING_BUILDER_FLAGS,
    LOWERING_TYPED_GRAPH,
    PRECISION_FP16,
    PRECISION_FP32,
    PRECISION_INT8,
    PRECISION_TF32,
    ArtifactRole,
    BuildTask,
    Precision,
)

_FP32, _FP16, _QDQ = ARTIFACT_ROLE_MODEL_FP32, ARTIFACT_ROLE_MODEL_FP16, ARTIFACT_ROLE_MODEL_QDQ
QDQ_GRAPHS = (ARTIFACT_ROLE_MODEL_QDQ_DLA, _QDQ)  # a build brings one
_TYPED = {PRECISION_FP32: _FP32, PRECISION_TF32: _FP32, PRECISION_FP16: _FP16, PRECISION_INT8: _QDQ}
_FLAGS = {PRECISION_FP32: (), PRECISION_TF32: (), PRECISION_FP16: ("FP16",), PRECISION_INT8: ("INT8", "FP16")}
_WHERE = "precision"


@dataclass(frozen=True)
class PrecisionPlan:
    """`graph`: the role of the graph to build from. `flags`: names of trt.BuilderFlag to set."""

    graph: "ArtifactRole.ValueType"
    typed: bool
    flags: tuple[str, ...] = ()
    tf32: bool = False
    calibrate: bool = False


def lower(task: BuildTask, able: Ability) -> PrecisionPlan:
    """Raises BadInput for what this TensorRT or this placement does not have."""
    if task.precision not in _TYPED:
        raise BadInput(f"TensorRT has no precision {_word(task)}", where=_WHERE, expected="fp32, tf32, fp16, int8")
    dla = Placement(task.placement).is_dla
    if dla:
        _refuse_on_dla(task, able)
    roles = {item.role for item in task.artifacts}
    if _is_typed(task, able, dla=dla):
        return _typed(task, roles, able)
    return _weak(task, roles, able, dla=dla)


def _is_typed(task: BuildTask, able: Ability, *, dla: bool) -> bool:
    if task.lowering == LOWERING_TYPED_GRAPH and not able.typed:
        raise BadInput(
            f"{able.label} has no strongly typed networks",
            where="lowering",
            expected="flags, or TensorRT 10 and later",
            hint="lowering: flags",
        )
    if task.lowering == LOWERING_BUILDER_FLAGS and not able.weak:
        raise BadInput(
            f"{able.label} has no precision flags and no calibrator: types come from the graph alone",
            where="lowering",
            expected="typed, or TensorRT up to 10.16",
            hint="lowering: typed",
        )
    if task.lowering == LOWERING_TYPED_GRAPH and dla and able.weak:
        raise BadInput(
            f"{able.label} runs a layer on a DLA only under the FP16 or the INT8 flag, and a strongly typed network "
            "takes none",
            where="lowering",
            expected="flags, or TensorRT 11.4.1 and later on AGX Orin",
            hint="lowering: flags",
        )
    if task.lowering:
        return task.lowering == LOWERING_TYPED_GRAPH
    return able.typed and not (dla and able.weak)


def _refuse_on_dla(task: BuildTask, able: Ability) -> None:
    if not able.dla:
        raise BadInput(
            f"{able.label} has no DLA",
            where="placement",
            expected=DLA_RELEASES,
            hint="placement: gpu",
        )
    if _word(task) not in DLA_PRECISIONS:
        expected = ", ".join(DLA_PRECISIONS)
        raise BadInput(f"a DLA does not compute in {_word(task)}", where=_WHERE, expected=expected, hint="fp16")
    for spec in task.inputs:
        if list(spec.range.min) != list(spec.range.max):
            raise BadInput(
                f"a DLA takes one shape, and input {spec.name!r} has a range from {list(spec.range.min)} to "
                f"{list(spec.range.max)}",
                where="placement",
                expected="min = opt = max",
                hint="give the input one shape, or placement: gpu",
            )


def _typed(task: BuildTask, roles: Collection[int], able: Ability) -> PrecisionPlan:
    graph = _TYPED[task.precision]
    if graph == _QDQ:
        graph = next((role for role in QDQ_GRAPHS if role in roles), _QDQ)
    if graph == _QDQ and _QDQ not in roles:
        flags = ", or with lowering: flags, where TensorRT calibrates itself" if able.weak else ""
        raise BadInput(
            f"int8 in a strongly typed network ({able.label}) comes from a graph with Q/DQ pairs, and the task brings "
            "none",
            where=_WHERE,
            expected="a Q/DQ graph" + flags,
            hint="give the job calibration data: submit writes the Q/DQ graph from it",
        )
    if graph not in roles:
        raise _no_graph(task, graph)
    return PrecisionPlan(graph, typed=True, tf32=task.precision == PRECISION_TF32)


def _weak(task: BuildTask, roles: Collection[int], able: Ability, *, dla: bool) -> PrecisionPlan:
    flags = _FLAGS[task.precision]
    if task.precision == PRECISION_INT8:
        return _weak_int8(task, roles, flags, able, dla=dla)
    graphs = [role for role in (_FP32, _FP16) if role in roles]
    if not graphs or (task.precision != PRECISION_FP16 and graphs[0] != _FP32):
        raise _no_graph(task, _FP32)
    return PrecisionPlan(graphs[0], typed=False, flags=flags, tf32=task.precision == PRECISION_TF32)


def _weak_int8(
    task: BuildTask, roles: Collection[int], flags: tuple[str, ...], able: Ability, *, dla: bool
) -> PrecisionPlan:
    if ARTIFACT_ROLE_CALIBRATION in roles and _FP32 in roles:
        return PrecisionPlan(_FP32, typed=False, flags=flags, calibrate=True)
    if dla:
        raise BadInput(
            f"int8 on a DLA of {able.label} comes from calibration alone, not from Q/DQ pairs",
            where=_WHERE,
            expected="the fp32 graph and calibration data",
            hint="give the job calibration data, or precision: fp16",
        )
    if _QDQ in roles:
        return PrecisionPlan(_QDQ, typed=False, flags=flags)
    raise BadInput(
        "int8 needs ranges, and the task brings neither calibration data with an fp32 graph nor a Q/DQ graph",
        where=_WHERE,
        expected="calibration data, or a Q/DQ graph",
        hint="give the job calibration data",
    )


def _no_graph(task: BuildTask, role: "ArtifactRole.ValueType") -> BadInput:
    name = ArtifactRole.Name(role).removeprefix("ARTIFACT_ROLE_MODEL_").lower()
    return BadInput(f"an {_word(task)} engine is made from the {name} graph, and the task brings none", where=_WHERE)


def _word(task: BuildTask) -> str:
    return Precision.Name(task.precision).removeprefix("PRECISION_").lower()
