"""After the timing: what really ran in each engine, from runs of their own. Never costs the measurement."""

import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from agent.attempt import AttemptDir
from agent.runtime.base import Ceilings, Inspection, LayerTime, Report
from agent.runtime.registry import open_runtime
from agent.work.aggregate import name_subjects
from agent.work.audit import describe_types, disclaim_checks, precision_flags
from agent.work.kept_ceilings import gpu_ceilings
from agent.work.subject import bound_inputs
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_LAYER_PROFILE,
    FLAG_KIND_LAYERS_OVERLAP,
    FLAG_KIND_THROTTLED,
    BenchTask,
    Flag,
    Measurement,
    Outcome,
    Subject,
)

log = logging.getLogger(__name__)


def was_timed(outcome: Outcome) -> bool:
    """Whether any subject was: what was not has nothing to inspect."""
    return any(item.n for item in outcome.measured.measurements)


def inspect_bench(
    task: BenchTask, outcome: Outcome, attempt: AttemptDir, report: Report, notes: dict[str, str]
) -> None:
    """Adds flags, times on DLAs and files to an outcome, and the types that ran to the notes; logs what fails."""
    measurements = list(outcome.measured.measurements)
    aggregates = [item for item in measurements if not item.HasField("subject_index")]
    timed = [item for item in measurements if item.n and item.HasField("subject_index")]
    several = len(task.subjects) > 1
    added = []
    for measurement in timed:
        index, subject = measurement.subject_index, task.subjects[measurement.subject_index]
        report("inspect", None, subject.placement)
        prefix = f"{index}." if several else ""
        known = len(measurement.flags)
        try:
            found = _inspect(subject, attempt, index)
            _publish(found, outcome, attempt, f"-{index}" if several else "")
            _record_findings(found, subject, measurement, notes, prefix)
        except Exception as error:
            log.exception("%s was timed, but could not be inspected", subject.variant_key)
            notes[f"{prefix}inspection"] = f"failed: {type(error).__name__}: {error}"
        else:
            _add_ceilings(found, subject, measurement, attempt, notes, prefix)
        added.append((index, subject, measurement.flags[known:]))
    for item in aggregates:
        item.flags.extend(name_subjects(added))


def layer_profile(layers: Sequence[LayerTime], runs: int, *, aux_streams: int = 0) -> dict[str, object]:
    """Mean milliseconds of each layer over so many inferences, and its share of their sum.

    With auxiliary streams `overlap` is true: layers ran side by side, and the sum is more than the inference took.
    """
    total_ms = sum(layer.ms for layer in layers)
    rows = [
        {"name": layer.name, "ms": layer.ms, "share": layer.ms / total_ms if total_ms > 0 else 0.0} for layer in layers
    ]
    return {"runs": runs, "aux_streams": aux_streams, "overlap": aux_streams > 0, "layers": rows}


def _inspect(subject: Subject, attempt: AttemptDir, index: int) -> Inspection:
    # An attempt may take two processes: what the first one left is not empty.
    scratch = Path(tempfile.mkdtemp(prefix=f"inspect-{index}-", dir=attempt.root))
    runtime = open_runtime(subject.runtime)
    return runtime.inspect(attempt.locate(subject.engine), subject, bound_inputs(subject, attempt), scratch)


def _record_findings(
    found: Inspection, subject: Subject, measurement: Measurement, notes: dict[str, str], prefix: str
) -> None:
    if found.kernels:
        notes[f"{prefix}precision"] = describe_types(found.kernels)
    if count := len(found.layers) or len(found.kernels):
        measurement.metrics["layer_count"].value = count
    not_honoured = precision_flags(subject.precision, found.kernels)
    measurement.flags.extend(not_honoured)
    if not_honoured:
        disclaim_checks(measurement, subject.precision, found.kernels)
    if found.dla_time_share is not None:
        measurement.metrics["dla_time_share"].value = found.dla_time_share
        measurement.flags.extend(overlap_flags(found.aux_streams))


def _add_ceilings(
    found: Inspection,
    subject: Subject,
    measurement: Measurement,
    attempt: AttemptDir,
    notes: dict[str, str],
    prefix: str,
) -> None:
    """What the device reaches at best: from the inspection, or of a GPU measured now or kept. Costs no inspection."""
    slowed = any(flag.kind == FLAG_KIND_THROTTLED for flag in measurement.flags)
    try:
        ceilings = found.ceilings or _gpu_ceilings(subject, attempt, may_keep=not slowed)
    except Exception as error:
        log.exception("the device's ceilings were not measured")
        notes[f"{prefix}ceilings"] = f"not measured: {type(error).__name__}: {error}"
        return
    if ceilings is not None:
        notes[f"{prefix}ceilings"] = ceilings.how
        for name, rate in ceilings.rates.items():
            measurement.metrics[name].value = rate


def _gpu_ceilings(subject: Subject, attempt: AttemptDir, *, may_keep: bool) -> Ceilings | None:
    scratch = Path(tempfile.mkdtemp(prefix="ceilings-", dir=attempt.root))
    return gpu_ceilings(open_runtime(subject.runtime), subject, scratch, may_keep=may_keep)


def overlap_flags(aux_streams: int) -> list[Flag]:
    """LAYERS_OVERLAP, about a share of times that were taken side by side."""
    if not aux_streams:
        return []
    streams = f"{aux_streams} auxiliary stream{'s' if aux_streams > 1 else ''}"
    advice = "max_aux_streams: 0 runs them one after the other"
    seen = f"layers ran side by side on {streams}: their times and the DLA's share of them overlap"
    return [Flag(kind=FLAG_KIND_LAYERS_OVERLAP, evidence=f"{seen}; {advice}")]


def _publish(found: Inspection, outcome: Outcome, attempt: AttemptDir, suffix: str) -> None:
    for file in found.files:
        outcome.artifacts.append(attempt.publish(file.path, file.role, _add_suffix(file.name, suffix)))
    if found.layers:
        path = attempt.root / "layer-profile.part"
        profile = layer_profile(found.layers, found.runs, aux_streams=found.aux_streams)
        path.write_text(json.dumps(profile, indent=1) + "\n")
        name = _add_suffix("layer-profile.json", suffix)
        outcome.artifacts.append(attempt.publish(path, ARTIFACT_ROLE_LAYER_PROFILE, name))


def _add_suffix(name: str, suffix: str) -> str:
    """layers.json of subject 1 is layers-1.json: an attempt's files of one role have different names."""
    path = PurePosixPath(name)
    return path.stem + suffix + path.suffix
