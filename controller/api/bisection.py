"""Fetches the graphs of a job's lowered variants, and has them held against FP32's on this machine."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from controller.api.bisected_files import fetch_files, fetch_inputs, graph_of, reference_graph
from controller.api.control_client import ControlClient
from controller.intake.find_divergence import bisect
from controller.model.divergence import Bisection
from controller.model.job import GRAPH_DATA, Artifact, Precision, Variant
from jetfleet.errors import BadInput, NotFound

_LOWERED = frozenset({Precision.FP16, Precision.INT8})


def bisect_job(
    client: ControlClient, job_id: int, variant: str = "", *, progress: Callable[[str], None]
) -> list[Bisection]:
    """One for each fp16 and int8 variant, or the named one. Raises NotFound, BadInput."""
    variants = client.job_spec(job_id).variants
    asked = asked_variants(job_id, variants, variant)
    return [_bisect(client, item, variants, progress) for item in asked]


def asked_variants(job_id: int, variants: Sequence[Variant], variant: str) -> list[Variant]:
    """The named one, or every one in fp16 and int8. Raises NotFound, BadInput."""
    keys = [item.key for item in variants]
    if variant and variant not in keys:
        raise NotFound(f"job {job_id} has no variant {variant!r}", expected=", ".join(keys))
    found = [item for item in variants if item.key == variant or (not variant and item.precision in _LOWERED)]
    if not found:
        raise BadInput(f"job {job_id} has no variant in fp16 or int8", expected="one whose graph is not FP32's")
    return found


def _bisect(
    client: ControlClient, variant: Variant, others: Sequence[Variant], progress: Callable[[str], None]
) -> Bisection:
    if variant.refusal:
        return Bisection(variant.key, reason=f"it was refused: {variant.refusal}")
    lowered, reference = graph_of(variant, set(GRAPH_DATA)), reference_graph(variant, others)
    if reason := _obstacle(variant, lowered, reference):
        return Bisection(variant.key, reason=reason)
    progress(f"{variant.key}: fetching its graph and FP32's")
    with tempfile.TemporaryDirectory(prefix="jetfleet-bisect-") as folder:
        root = Path(folder)
        fp32 = fetch_files(client, reference, root / "fp32")[0]
        graph = fetch_files(client, lowered, root / "lowered")[0]
        inputs = fetch_inputs(client, variant, root)
        return Bisection(variant.key, bisect(fp32, graph, inputs, variant.check, progress=progress))


def _obstacle(variant: Variant, lowered: Sequence[Artifact], reference: Sequence[Artifact]) -> str:
    if variant.precision not in _LOWERED:
        return f"{variant.precision.value} runs the FP32 graph as it is"
    if not lowered:
        return "TensorRT's builder chooses its types itself, and only the device sees them: `--on DEVICE`"
    return "" if reference else "no variant of the job carries the FP32 graph: submit it with fp32 beside"
