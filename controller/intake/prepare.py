"""From a job file to a job that can be submitted: the spec, and every file that it names by digest."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from controller.intake import child
from controller.intake import required_graphs as needing
from controller.intake.exchange import Made, MadeFile, ModelError, Request
from controller.intake.jobfile import matrix, profiles
from controller.intake.jobfile.axes import asked
from controller.intake.jobfile.spec import LoadedJob, load_spec
from controller.model.job import Artifact, JobSpec, Role, TensorSpec, Variant
from jetfleet.blobs import BlobDir
from jetfleet.errors import BadInput

MODEL_TIMEOUT_S = 1800.0


@dataclass(frozen=True)
class Prepared:
    """A job ready to submit; `files` leads from the digest of every artifact to its bytes."""

    spec: JobSpec
    files: Mapping[str, Path]


def prepare(
    job_file: Path, *, state_dir: Path, progress: Callable[[str], None], timeout_s: float = MODEL_TIMEOUT_S
) -> Prepared:
    """Reads the job file and makes everything that its variants need. Raises BadInput, TimeLimit, DiskFull."""
    return prepare_loaded(load_spec(job_file), state_dir=state_dir, progress=progress, timeout_s=timeout_s)


def prepare_loaded(
    loaded: LoadedJob,
    *,
    state_dir: Path,
    progress: Callable[[str], None],
    timeout_s: float = MODEL_TIMEOUT_S,
    onnx: Path | None = None,
) -> Prepared:
    """The same for a job that is read already; `onnx` is where its ONNX file lies, if not where the job says."""
    cache = state_dir.absolute() / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    out = Path(tempfile.mkdtemp(prefix="model-", dir=cache))
    try:
        try:
            request = request_for(loaded, cache, out)
            if onnx is not None:
                request = replace(request, onnx=str(onnx.absolute()))
            made = child.run(request, timeout_s=timeout_s, progress=progress)
        except ModelError as error:
            raise placed(loaded, error) from error
        blobs = BlobDir(cache / "blobs")
        artifacts = [(item, _store(blobs, item.path, item.role, item.name)) for item in made.files]
    finally:
        shutil.rmtree(out, ignore_errors=True)
    variants = _variants(loaded, made, artifacts)
    files = {item.sha256: blobs.path(item.sha256) for variant in variants for item in variant.artifacts}
    return Prepared(_spec(loaded, variants), files)


def request_for(loaded: LoadedJob, cache: Path, out: Path) -> Request:
    model, variants = loaded.job.model, loaded.job.variants
    return Request(
        folder=str(loaded.folder.absolute()),
        torch=model.torch or "",
        onnx=model.onnx or "",
        args=dict(model.args),
        inputs={name: asked(item) for name, item in model.inputs.items()},
        evaluation=model.data.evaluation or "",
        calibration=model.data.calibration or "",
        lower=needing.to_lower(loaded),
        batches=matrix.batches_named(variants),
        own_batch=variants.batch is None,
        seed=loaded.job.export.seed,
        opset=loaded.job.export.opset,
        exporter=loaded.job.export.exporter,
        cache=str(cache / "exports"),
        lowered=str(cache / "lowered"),
        out=str(out),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4,
        unlowered=needing.unlowered(loaded),
    )


def placed(loaded: LoadedJob, error: ModelError) -> BadInput:
    where = error.where or loaded.document.where(error.steps)
    return BadInput(error.message, where=where, expected=error.expected, hint=error.hint)


def _store(blobs: BlobDir, path: str, role: Role, name: str) -> Artifact:
    file = Path(path)
    return Artifact(role, name, sha256=blobs.put_file(file), size_bytes=file.stat().st_size)


def _variants(loaded: LoadedJob, made: Made, artifacts: list[tuple[MadeFile, Artifact]]) -> tuple[Variant, ...]:
    job = loaded.job
    points = matrix.points(job.variants, loaded.document, own_batch=made.own_batch)
    ranges = profiles.ranges(job.options, points, made.inputs, loaded.document)
    return tuple(
        Variant(
            key=point.key,
            runtime=point.runtime,
            precision=point.precision,
            batch=point.batch,
            placement=point.placement,
            inputs=tuple(
                TensorSpec(item.name, item.dtype, item.shape(point.batch), ranges[point.runtime].get(item.name))
                for item in made.inputs
            ),
            artifacts=tuple(artifact for item, artifact in artifacts if needing.needs(point, item)),
            check=loaded.check_for(point.precision),
            options=job.options.text(point.runtime),
        )
        for point in points
    )


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
    )
