"""Fetches the graphs of a job's lowered variants, and has them held against FP32's on this machine."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from controller.api.control_client import ControlClient
from controller.intake.find_divergence import bisect
from controller.model.divergence import Bisection
from controller.model.job import GRAPH_DATA, Artifact, Precision, Role, Variant
from jetfleet.errors import BadInput, NotFound

_LOWERED = frozenset({Precision.FP16, Precision.INT8})


def bisect_job(
    client: ControlClient, job_id: int, variant: str = "", *, progress: Callable[[str], None]
) -> list[Bisection]:
    """One for each fp16 and int8 variant, or the named one. Raises NotFound, BadInput."""
    variants = client.job_spec(job_id).variants
    keys = [item.key for item in variants]
    if variant and variant not in keys:
        raise NotFound(f"job {job_id} has no variant {variant!r}", expected=", ".join(keys))
    asked = [item for item in variants if variant in ("", item.key)]
    found = [_bisect(client, item, variants, progress) for item in asked if variant or item.precision in _LOWERED]
    if not found:
        raise BadInput(f"job {job_id} has no variant in fp16 or int8", expected="one whose graph is not FP32's")
    return found


def _bisect(
    client: ControlClient, variant: Variant, others: Sequence[Variant], progress: Callable[[str], None]
) -> Bisection:
    if variant.refusal:
        return Bisection(variant.key, reason=f"it was refused: {variant.refusal}")
    lowered = _graph(variant, set(GRAPH_DATA))
    reference = next((found for item in (variant, *others) if (found := _graph(item, {Role.MODEL_FP32}))), [])
    if reason := _obstacle(variant, lowered, reference):
        return Bisection(variant.key, reason=reason)
    progress(f"{variant.key}: fetching its graph and FP32's")
    with tempfile.TemporaryDirectory(prefix="jetfleet-bisect-") as folder:
        root = Path(folder)
        fp32, graph = _fetch(client, reference, root / "fp32"), _fetch(client, lowered, root / "lowered")
        inputs = {}
        for index, item in enumerate(item for item in variant.artifacts if item.role is Role.REFERENCE_INPUT):
            inputs[item.name] = root / f"input-{index}.npy"
            client.download(item.sha256, inputs[item.name])
        return Bisection(variant.key, bisect(fp32, graph, inputs, variant.check, progress=progress))


def _graph(variant: Variant, roles: set[Role]) -> list[Artifact]:
    """The first graph of one of these roles, with all external data, of which it reads its own; empty: none."""
    graphs = [item for item in variant.artifacts if item.role in roles]
    data = [item for item in variant.artifacts if item.role is Role.MODEL_DATA]
    return [graphs[0], *data] if graphs else []


def _obstacle(variant: Variant, lowered: Sequence[Artifact], reference: Sequence[Artifact]) -> str:
    if variant.precision not in _LOWERED:
        return f"{variant.precision.value} runs the FP32 graph as it is"
    if not lowered:
        return "TensorRT's builder chooses its types itself, and only the device sees them: try `lowering: typed`"
    return "" if reference else "no variant of the job carries the FP32 graph: submit it with fp32 beside"


def _fetch(client: ControlClient, files: Sequence[Artifact], folder: Path) -> Path:
    """The graph, with its data beside it by the names that it knows. Raises BadInput for one that leaves it."""
    for item in _safely_named(files):
        path = folder / item.name
        path.parent.mkdir(parents=True, exist_ok=True)
        client.download(item.sha256, path)
    return folder / files[0].name


def _safely_named(files: Sequence[Artifact]) -> Iterator[Artifact]:
    for item in files:
        path = PurePosixPath(item.name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise BadInput(f"{item.name!r} is not a valid name of a file inside a folder")
        yield item
