"""Identities by content: which boards may share an engine, and which engine a recipe makes on them."""

import hashlib
import json
from collections.abc import Mapping

from controller.model.facts import Facts, shown
from controller.model.job import Artifact, Lowering, Precision, Role
from controller.model.task import Device, DeviceClass, Recipe

# An engine is native code (TensorRT) or a graph optimised for one host (ONNX Runtime's NCHWc layouts depend on the
# CPU's vector width): only boards that agree on all of these may share it.
_CPU_FIELDS = ("arch", "cpu_model", "cpu_isa")
_GPU_FIELDS = ("arch", "module", "compute_capability", "sm_count", "l4t")
_DLA_FIELDS = (*_GPU_FIELDS, "dla_compiler")
_DISCRETE_GPU_FIELDS = ("arch", "gpu", "compute_capability", "sm_count", "cuda")

# The graph that an engine is made from is the first of these that the variant carries: flags work on the FP32 graph,
# a typed graph brings its own types and falls back to the FP32 graph where the runtime lowers it itself.
_FP32, _FP16, _QDQ = Role.MODEL_FP32, Role.MODEL_FP16, Role.MODEL_QDQ
_GRAPHS: Mapping[tuple[Lowering, Precision], tuple[Role, ...]] = {
    (Lowering.TYPED_GRAPH, Precision.FP32): (_FP32,),
    (Lowering.TYPED_GRAPH, Precision.TF32): (_FP32,),
    (Lowering.TYPED_GRAPH, Precision.FP16): (_FP16, _FP32),
    (Lowering.TYPED_GRAPH, Precision.INT8): (_QDQ, _FP32),
    (Lowering.BUILDER_FLAGS, Precision.FP32): (_FP32,),
    (Lowering.BUILDER_FLAGS, Precision.TF32): (_FP32,),
    (Lowering.BUILDER_FLAGS, Precision.FP16): (_FP32, _FP16),
    (Lowering.BUILDER_FLAGS, Precision.INT8): (_FP32, _QDQ),
}


def class_fields(facts: Facts, runtime: str, placement: str) -> tuple[str, ...]:
    """The facts that decide the device class for an engine of this runtime, placed there."""
    if runtime == "simulated":
        return ("arch",)
    if placement == "cpu":
        return _CPU_FIELDS
    if "dla" in placement:
        return _DLA_FIELDS
    return _GPU_FIELDS if "module" in facts or "l4t" in facts else _DISCRETE_GPU_FIELDS


def device_class(device: Device, *, runtime: str, placement: str) -> DeviceClass:
    """The class of a device; an unknown field makes it a class of its own, because two unknowns never match."""
    names = class_fields(device.facts, runtime, placement)
    fields = [(name, shown(device.facts.get(name))) for name in names]
    if any(name not in device.facts for name in names):
        fields.append(("device", device.id))
    return DeviceClass(key=digest({"class": fields}), fields=tuple(fields))


def engine_key(recipe: Recipe, klass: DeviceClass) -> str:
    """64 hex digits that name the engine a recipe makes on a device class."""
    return digest({"recipe": recipe_content(recipe), "class": klass.key})


def recipe_content(recipe: Recipe) -> dict[str, object]:
    """A recipe as plain data in a fixed form: what its key is taken over."""
    return {
        "runtime": recipe.runtime,
        "runtime_version": recipe.runtime_version,
        "precision": recipe.precision.value,
        "lowering": recipe.lowering.value,
        "placement": recipe.placement,
        "inputs": [[spec.name, spec.dtype, list(spec.shape)] for spec in recipe.inputs],
        "artifacts": sorted([item.role.value, item.name, item.sha256] for item in recipe.artifacts),
        "options": dict(sorted(recipe.options.items())),
    }


def build_artifacts(
    artifacts: tuple[Artifact, ...], precision: Precision, lowering: Lowering = Lowering.TYPED_GRAPH
) -> tuple[Artifact, ...]:
    """The files that an engine of this precision is made from: one graph, its external data, calibration for INT8."""
    present = {item.role for item in artifacts}
    graph = next((role for role in _GRAPHS[lowering, precision] if role in present), None)
    wanted = {graph, Role.MODEL_DATA} | ({Role.CALIBRATION} if precision is Precision.INT8 else set())
    return tuple(
        sorted((item for item in artifacts if item.role in wanted), key=lambda item: (item.role.value, item.name))
    )


def lowering_for(facts: Facts, runtime: str, precision: Precision, placement: str) -> Lowering:
    """How a precision reaches the engine there: INT8 on a DLA up to TensorRT 10 needs flags, the rest is typed."""
    major_text = str(facts.get(f"runtime.{runtime}", "")).split(".")[0]
    major = int(major_text) if major_text.isdecimal() else 0
    weak_dla = runtime == "tensorrt" and "dla" in placement and precision is Precision.INT8 and major <= 10
    return Lowering.BUILDER_FLAGS if weak_dla else Lowering.TYPED_GRAPH


def variant_key(
    *, runtime: str, precision: Precision, batch: int, placement: str, others: Mapping[str, str] | None = None
) -> str:
    """People's name of a variant: `tensorrt-fp16-b8-gpu`, then the other axes that vary, sorted by name."""
    parts = [runtime, precision.value, f"b{batch}", placement]
    return "-".join(parts + [f"{name}_{value}" for name, value in sorted((others or {}).items())])


def digest(content: object) -> str:
    """SHA-256 of plain data in canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
