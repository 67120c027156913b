"""Jobs for the simulated runtime, small enough to run in a moment: real plans, leases and files, next to no work."""

import uuid
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from controller.api.client import Client
from controller.model.job import (
    Artifact,
    CheckRule,
    JobSpec,
    Limits,
    Measure,
    OutputCheck,
    Precision,
    Quantifier,
    Role,
    Target,
    TensorSpec,
    Variant,
)
from jetfleet.blobs import sha256_file

LIMITS = Limits(build_s=60, bench_s=60)
MEASURE = Measure(warmup_s=0.05, min_s=0.2, max_s=2.0, runs=2)  # two processes: most tests are not about runs


def simulated_job(
    folder: Path,
    *,
    name: str = "simulated",
    options: Mapping[str, str] | None = None,
    batches: tuple[int, ...] = (1,),
    targets: tuple[Target, ...] = (Target(Quantifier.EVERY),),
    limits: Limits = LIMITS,
    measure: Measure = MEASURE,
    priority: int = 0,
) -> tuple[JobSpec, dict[str, Path]]:
    """A job for the simulated runtime, with real files: a model of nothing, reference inputs and outputs."""
    files: dict[str, Path] = {}

    def put(role: Role, label: str, path: Path) -> Artifact:
        digest = sha256_file(path)
        files[digest] = path
        return Artifact(role, label, digest, path.stat().st_size)

    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model.onnx"
    model.write_bytes(b"a model of nothing " + name.encode())
    graph = put(Role.MODEL_FP32, "model.onnx", model)
    variants = []
    for batch in batches:
        image, answer = _references(folder, batch)
        files_of_it = (put(Role.REFERENCE_INPUT, "image", image), put(Role.REFERENCE_OUTPUT, "answer", answer))
        variants.append(simulated_variant(batch, artifacts=(graph, *files_of_it), options=options))
    spec = JobSpec(
        name=name,
        model_name="nothing",
        variants=tuple(variants),
        targets=targets,
        measure=measure,
        limits=limits,
        priority=priority,
        source=f"name: {name}\n",
    )
    return spec, files


def simulated_variant(
    batch: int, *, artifacts: tuple[Artifact, ...] = (), options: Mapping[str, str] | None = None
) -> Variant:
    """Plannable without files; to run, it needs a graph and references."""
    return Variant(
        key=f"simulated-fp32-b{batch}-cpu",
        runtime="simulated",
        precision=Precision.FP32,
        batch=batch,
        placement="cpu",
        inputs=(TensorSpec("image", "float32", (batch, 4)),),
        artifacts=artifacts,
        check=OutputCheck(CheckRule.CLOSE),
        options=options or {},
    )


def _references(folder: Path, batch: int) -> tuple[Path, Path]:
    """Files of an input and of the output that the simulated runtime answers it with."""
    image, answer = folder / f"image-{batch}.npy", folder / f"answer-{batch}.npy"
    np.save(image, np.linspace(0, 1, batch * 4, dtype=np.float32).reshape(batch, 4))
    np.save(answer, np.linspace(1, 2, batch * 3, dtype=np.float32).reshape(batch, 3))
    return image, answer


def submit(client: Client, job: tuple[JobSpec, dict[str, Path]], *, key: str | None = None) -> int:
    spec, files = job
    return client.submit_spec(spec, files, idempotency_key=key or uuid.uuid4().hex).job_id
