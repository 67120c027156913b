"""Identities by content: which boards may share an engine, and which engine a recipe makes on them."""

import hashlib
import json
from collections.abc import Collection, Mapping

from controller.model.facts import OWN_ENGINES_ONLY, Facts, shown
from controller.model.job import GRAPH_DATA, Artifact, Lowering, Precision, Role, TensorSpec
from controller.model.task import Device, DeviceClass, Recipe
from jetfleet.placement import Placement

# An engine is native code (TensorRT) or a graph optimised for one host (ONNX Runtime's NCHWc layouts depend on the
# CPU's vector width): only boards that agree on all of these may share it.
_CPU_FIELDS = ("arch", "cpu_model", "cpu_isa")
_HOST_FIELDS = ("cpu_model", "cpu_isa")
_GPU_FIELDS = ("arch", "module", "compute_capability", "sm_count", "l4t")
_DLA_FIELDS = (*_GPU_FIELDS, "dla_compiler")
_DISCRETE_GPU_FIELDS = ("arch", "gpu", "compute_capability", "sm_count", "cuda")

# The graph that an engine is made from is the first of these that the variant carries: flags work on the FP32 graph,
# a typed graph brings its own types and falls back to the FP32 graph where the runtime lowers it itself.
_FP32, _FP16, _QDQ = Role.MODEL_FP32, Role.MODEL_FP16, Role.MODEL_QDQ
_INT8 = {False: (_QDQ, _FP32), True: (Role.MODEL_QDQ_DLA, _QDQ, _FP32)}  # by whether it is for a DLA
_DATA_OF = {name: role for role, name in GRAPH_DATA.items()}
_GRAPHS: Mapping[tuple[Lowering, Precision], tuple[Role, ...]] = {
    (Lowering.TYPED_GRAPH, Precision.FP32): (_FP32,),
    (Lowering.TYPED_GRAPH, Precision.TF32): (_FP32,),
    (Lowering.TYPED_GRAPH, Precision.FP16): (_FP16, _FP32),
    (Lowering.BUILDER_FLAGS, Precision.FP32): (_FP32,),
    (Lowering.BUILDER_FLAGS, Precision.TF32): (_FP32,),
    (Lowering.BUILDER_FLAGS, Precision.FP16): (_FP32, _FP16),
    (Lowering.BUILDER_FLAGS, Precision.INT8): (_FP32,),
}


def class_fields(facts: Facts, runtime: str, placement: str) -> tuple[str, ...]:
    """The facts that decide the device class for an engine of this runtime; `placement` is cpu, gpu or a DLA."""
    if runtime == "simulated":
        return ("arch",)
    if Placement(placement).is_cpu:
        return _CPU_FIELDS
    if Placement(placement).is_dla:
        return _DLA_FIELDS
    fields = _GPU_FIELDS if "module" in facts or "l4t" in facts else _DISCRETE_GPU_FIELDS
    # What CUDA does not take stays on the CPU, laid out for that host. cuDNN chooses kernels when a graph is loaded.
    return (*fields, *_HOST_FIELDS) if runtime == "onnxruntime" else fields


def device_class(device: Device, *, runtime: str, placement: str) -> DeviceClass:
    """The class of a device; an unknown field makes it a class of its own, because two unknowns never match.

    So does a device that runs no engine of others: then nobody shares with it.
    """
    names = class_fields(device.facts, runtime, placement)
    fields = [(name, shown(device.facts.get(name))) for name in names]
    if device.facts.get(OWN_ENGINES_ONLY) is True or any(name not in device.facts for name in names):
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
        "inputs": [_input_content(spec) for spec in recipe.inputs],
        "artifacts": sorted([item.role.value, item.name, item.sha256] for item in recipe.artifacts),
        "options": dict(sorted(recipe.options.items())),
        **({"repeat": recipe.repeat} if recipe.repeat else {}),  # 0: the key is as before there were any
    }


def _input_content(spec: TensorSpec) -> list[object]:
    profile = [[list(spec.range.min), list(spec.range.opt), list(spec.range.max)]] if spec.range else []
    return [spec.name, spec.dtype, list(spec.shape), *profile]


def build_artifacts(
    artifacts: tuple[Artifact, ...],
    precision: Precision,
    lowering: Lowering = Lowering.TYPED_GRAPH,
    *,
    placement: str = "",
) -> tuple[Artifact, ...]:
    """The files that an engine is made from: one graph and its external data; calibration where a builder needs it."""
    present = {item.role for item in artifacts}
    calibrated = lowering is Lowering.BUILDER_FLAGS and precision is Precision.INT8 and Role.CALIBRATION in present
    quantised = precision is Precision.INT8 and not calibrated
    order = _INT8[Placement(placement).is_dla] if quantised else _GRAPHS[lowering, precision]
    graph = next((role for role in order if role in present), None)
    wanted = {graph, Role.CALIBRATION} if calibrated else {graph}
    chosen = (
        item
        for item in artifacts
        if item.role in wanted or (item.role is Role.MODEL_DATA and _data_of(item.name, graph, present) is graph)
    )
    return tuple(sorted(chosen, key=lambda item: (item.role.value, item.name)))


def _data_of(name: str, graph: Role | None, present: Collection[Role]) -> Role | None:
    """The graph that external data belongs to; what belongs to none that is here is the chosen one's."""
    owner = _DATA_OF.get(name, _FP32)
    return owner if owner in present else graph


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
