"""The files that came of a model, each with what decides who needs it: graphs, references, evaluation, calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from controller.intake.exchange import LoweringRequest, ModelFile
from controller.intake.graph.datasets import LABELS, Evaluation
from controller.intake.graph.tensors import Array, write_npy
from controller.intake.jobfile.inputs import RunSize
from controller.intake.lowering import precision
from controller.intake.lowering.precision import Reference
from controller.model.job import Precision, Role


def graph_files(kind: Precision, path: Path, data: Sequence[str]) -> list[ModelFile]:
    files = [ModelFile(precision.ROLES[kind], path.name, str(path), precision=kind)]
    return files + [ModelFile(Role.MODEL_DATA, name, str(path.with_name(name)), precision=kind) for name in data]


def lowered_files(wanted: LoweringRequest, lowered: precision.LoweredGraph) -> list[ModelFile]:
    int8 = wanted.precision is Precision.INT8
    files = {lowered.path.name: precision.role_of(wanted), **dict.fromkeys(lowered.data, Role.MODEL_DATA)}
    return [
        ModelFile(
            role,
            name,
            str(lowered.path.with_name(name)),
            precision=wanted.precision,
            base=wanted.base if int8 else None,
            dla=wanted.dla if int8 else None,
        )
        for name, role in files.items()
    ]


def evaluation_files(evaluation: Evaluation, out: Path) -> list[ModelFile]:
    files = array_files(out, Role.EVALUATION_INPUT, evaluation.inputs)
    return [*files, _write(out, Role.EVALUATION_LABELS, LABELS, evaluation.labels, 0)]


def reference_files(
    out: Path, references: Mapping[RunSize, Reference], int8: Mapping[RunSize, Reference]
) -> list[ModelFile]:
    """INT8's own where it is held against other rows than the other precisions are."""
    if not int8:
        return [item for size, found in references.items() for item in _reference_of(out, found, size)]
    files = []
    for size, found in references.items():
        made = _reference_of(out, found, size)
        files += [replace(item, precision=kind) for kind in (Precision.FP32, Precision.FP16) for item in made]
        learnt = _reference_of(out / "int8", int8[size], size)
        files += [replace(item, precision=Precision.INT8) for item in learnt]
    return files


def array_files(out: Path, role: Role, arrays: Mapping[str, Array], *, size: RunSize | None = None) -> list[ModelFile]:
    return [_write(out, role, name, array, index, size=size) for index, (name, array) in enumerate(arrays.items())]


def _reference_of(out: Path, reference: Reference, size: RunSize) -> list[ModelFile]:
    files: list[ModelFile] = []
    for role, arrays in zip((Role.REFERENCE_INPUT, Role.REFERENCE_OUTPUT), reference, strict=True):
        files += array_files(out, role, arrays, size=size)
    return files


def _write(out: Path, role: Role, name: str, array: Array, index: int, *, size: RunSize | None = None) -> ModelFile:
    """One tensor as .npy; a tensor's name never becomes part of a path."""
    out.mkdir(exist_ok=True)
    sizes = [size.batch, *(value for _, value in size.dims)] if size else ["all"]
    path = out / f"{role.value}-{'-'.join(map(str, sizes))}-{index}.npy"
    write_npy(path, array)
    return ModelFile(role, name, str(path), size)
