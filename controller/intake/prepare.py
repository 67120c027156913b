"""From a job file to a job that can be submitted: the spec, and every file that it names by digest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from controller.intake import required_graphs
from controller.intake.child import MODEL_TIMEOUT_S, model_answer
from controller.intake.exchange import ModelAnswer, ModelFile
from controller.intake.jobfile import matrix, profiles
from controller.intake.jobfile.check import with_found
from controller.intake.jobfile.data import accuracy_metrics
from controller.intake.jobfile.named_files import refuse_missing_files
from controller.intake.jobfile.option_axes import changed
from controller.intake.jobfile.setting_axes import settings_of
from controller.intake.jobfile.spec import LoadedJob, load_spec
from controller.intake.surroundings import files_around, fitted_pipeline
from controller.model.job import Artifact, JobSpec, Precision, Role, ShapeRange, TensorSpec, Variant
from jetfleet.blobs import BlobDir


@dataclass(frozen=True)
class PreparedJob:
    """A job ready to submit; `files` leads from the digest of every artifact to its bytes."""

    spec: JobSpec
    files: Mapping[str, Path]


def load(job_file: Path) -> LoadedJob:
    """Checks a job file as far as its model need not be looked at: fast. Raises BadInput with every mistake."""
    loaded = load_spec(job_file)
    refuse_missing_files(loaded)
    return loaded


def prepare(
    job_file: Path, *, state_dir: Path, progress: Callable[[str], None], timeout_s: float = MODEL_TIMEOUT_S
) -> PreparedJob:
    """Reads the job file and makes everything that its variants need. Raises BadInput, TimeLimit, DiskFull."""
    return prepare_loaded(load(job_file), state_dir=state_dir, progress=progress, timeout_s=timeout_s)


def prepare_loaded(
    loaded: LoadedJob,
    *,
    state_dir: Path,
    progress: Callable[[str], None],
    timeout_s: float = MODEL_TIMEOUT_S,
    onnx: Path | None = None,
) -> PreparedJob:
    """The same for a job that is read already; `onnx` is where its ONNX file lies, if not where the job says."""
    cache = state_dir.absolute() / "cache"
    with model_answer(loaded, cache=cache, progress=progress, timeout_s=timeout_s, onnx=onnx) as answer:
        blobs = BlobDir(cache / "blobs")
        artifacts = [(item, _store(blobs, Path(item.path), item.role, item.name)) for item in answer.files]
    variants = _variants(loaded, answer, artifacts)
    around = tuple(_store(blobs, path, role, name) for role, name, path in files_around(loaded))
    variants = tuple(replace(item, artifacts=(*item.artifacts, *around)) for item in variants)
    files = {item.sha256: blobs.path(item.sha256) for variant in variants for item in variant.artifacts}
    return PreparedJob(_spec(loaded, variants), files)


def _store(blobs: BlobDir, file: Path, role: Role, name: str) -> Artifact:
    return Artifact(role, name, sha256=blobs.put_file(file), size_bytes=file.stat().st_size)


def _variants(
    loaded: LoadedJob, answer: ModelAnswer, artifacts: list[tuple[ModelFile, Artifact]]
) -> tuple[Variant, ...]:
    job = loaded.job
    points = matrix.with_own_batch(loaded.points, job.variants, loaded.document, own_batch=answer.own_batch)
    ranges = profiles.ranges(job.options, points, answer.inputs, loaded.document)
    inputs = {point: _inputs(point, answer, ranges[point.runtime]) for point in points}
    pipeline = fitted_pipeline(loaded, answer, inputs)
    metrics = accuracy_metrics(job.model.data)
    workloads = dict(answer.workloads)
    return tuple(
        Variant(
            key=point.key,
            runtime=point.runtime,
            precision=point.precision,
            batch=point.batch,
            placement=point.placement,
            inputs=inputs[point],
            artifacts=tuple(artifact for item, artifact in artifacts if required_graphs.needs(point, item)),
            check=with_found(
                loaded.check_for(point.precision), point.precision, rounded=answer.rounded, sets=answer.sets
            ),
            options=changed(point.runtime, job.options.text(point.runtime), point.options),
            dims=dict(point.dims),
            settings=settings_of(job.measure, point.settings),
            refusal=required_graphs.refusal_of(point, answer.refused, answer.refused_sizes),
            accuracy_output=answer.accuracy_output,
            workload=workloads.get(point.size),
            pipeline=pipeline,
            accuracy_metrics=metrics,
            repeat=point.repeat,
            weak_calibration=answer.weak_calibration if point.precision is Precision.INT8 else "",
        )
        for point in points
    )


def _inputs(
    point: matrix.VariantPoint, answer: ModelAnswer, ranges: Mapping[str, ShapeRange]
) -> tuple[TensorSpec, ...]:
    sized = (item.sized(point.dims) for item in answer.inputs)
    return tuple(TensorSpec(item.name, item.dtype, item.shape(point.batch), ranges.get(item.name)) for item in sized)


def _spec(loaded: LoadedJob, variants: tuple[Variant, ...]) -> JobSpec:
    model = loaded.job.model
    return JobSpec(
        name=loaded.job.name,
        model_name=model.torch or Path(model.onnx or "").stem,
        variants=variants,
        targets=loaded.targets,
        measure=loaded.measure,
        limits=loaded.limits,
        priority=loaded.job.priority,
        source=loaded.document.text,
        labels=loaded.job.labels,
    )
