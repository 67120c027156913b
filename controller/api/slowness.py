"""Fetches what is known beside results, and explains their times: the work of the network, layers, and the engine."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from controller.analysis.slow import arithmetic_ceiling, explain_slowness
from controller.api.control_client import ControlClient
from controller.model.engine import EngineView
from controller.model.job import Role, Variant
from controller.model.result import Row
from controller.model.slow import Explained, SlowEvidence
from controller.model.view import ResultQuery
from jetfleet.errors import NotFound
from jetfleet.placement import CPU, GPU

_LARGEST_PROFILE = 16 << 20
_NO_CEILINGS = "the ceilings of this place: they are measured on CPUs and GPUs only"
_CEILINGS_ELSEWHERE = "the ceilings of this device: the environment record of the attempt says why"


def explain_job(client: ControlClient, job_id: int, variant: str = "") -> list[Explained]:
    """Each result of a job, or of one of its variants, but the wholes of several subjects. Raises NotFound."""
    variants = {item.key: item for item in client.job_spec(job_id).variants}
    query = ResultQuery(job_ids=(job_id,), variant_keys=(variant,) if variant else ())
    rows = [row for row in client.results(query) if row.measurement.subject_index is not None]
    if not rows:
        raise NotFound(f"job {job_id} has no results" + (f" of {variant}" if variant else ""))
    return [_explained(client, row, variants.get(row.variant_key)) for row in rows]


def _explained(client: ControlClient, row: Row, variant: Variant | None) -> Explained:
    engine = client.engine(row.engine_key) if row.engine_key else None
    evidence = SlowEvidence(
        row,
        workload=variant.workload if variant else None,
        layers=tuple(_layers(client, engine)) if engine else (),
        fallbacks=_fallbacks(engine) if engine else (),
    )
    return Explained(row, explain_slowness(evidence), tuple(_unknown(evidence)))


def _layers(client: ControlClient, engine: EngineView) -> Iterator[tuple[str, float]]:
    """Of the newest profile of that engine."""
    profiles = [item for item in engine.files if item.role is Role.LAYER_PROFILE]
    if not profiles or profiles[-1].size_bytes > _LARGEST_PROFILE:
        return
    with tempfile.TemporaryDirectory(prefix="jetfleet-") as folder:
        path = Path(folder) / "profile.json"
        try:
            client.download(profiles[-1].sha256, path)
        except NotFound:  # collected: then the layers are unknown
            return
        yield from _shares(path.read_text(encoding="utf-8", errors="replace"))


def _shares(text: str) -> list[tuple[str, float]]:
    """None of a file that is not what an agent writes: then the layers are unknown."""
    try:
        return [(str(layer["name"]), float(layer["share"])) for layer in json.loads(text)["layers"]]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return []


def _fallbacks(engine: EngineView) -> tuple[str, ...]:
    placed = engine.built.report.dla if engine.built else None
    return tuple(f"{item.layer} ({item.type}: {item.reason})" for item in placed.fallbacks) if placed else ()


def _unknown(evidence: SlowEvidence) -> Iterator[str]:
    if evidence.workload is None:
        yield "how much work the network is: its shapes are not all known"
    if arithmetic_ceiling(evidence.row) is None:
        yield _CEILINGS_ELSEWHERE if evidence.row.placement in (CPU, GPU) else _NO_CEILINGS
    if not evidence.layers:
        yield "the time of each layer"
