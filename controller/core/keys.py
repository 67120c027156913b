"""Identities by content: which boards may share an engine, and which engine a recipe makes on them."""

import hashlib
import json
from collections.abc import Mapping

from controller.model.facts import Facts, shown
from controller.model.job import BUILD_ROLES, Artifact, Lowering, Precision, Role
from controller.model.task import Device, DeviceClass, Recipe

# An engine is native code (TensorRT) or a graph optimised for one host (ONNX Runtime's NCHWc layouts depend on the
# CPU's vector width): only boards that agree on all of these may share it.
_CPU_FIELDS = ("arch", "cpu_model", "cpu_isa")
_GPU_FIELDS = ("arch", "module", "compute_capability", "sm_count", "l4t")
_DLA_FIELDS = (*_GPU_FIELDS, "dla_compiler")
_DISCRETE_GPU_FIELDS = ("arch", "gpu", "compute_capability", "sm_count", "cuda")


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


def build_artifacts(artifacts: tuple[Artifact, ...], precision: Precision) -> tuple[Artifact, ...]:
    """The files that an engine of this precision is made from: one graph, its external data, calibration for INT8."""
    kept = [item for item in artifacts if item.role in BUILD_ROLES]
    if precision is not Precision.INT8:
        kept = [item for item in kept if item.role is not Role.CALIBRATION]
    return tuple(sorted(kept, key=lambda item: (item.role.value, item.name)))


def lowering_for(facts: Facts, runtime: str, precision: Precision, placement: str) -> Lowering:
    """How a precision reaches the engine on a device: INT8 on a DLA up to TensorRT 10 needs flags, the rest is typed."""
    version = facts.get(f"runtime.{runtime}")
    major = int(str(version).split(".")[0]) if version is not None and str(version)[0].isdigit() else 0
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
