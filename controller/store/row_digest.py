"""The digest of a measurement's row: of all that it and its parts say, in the form in which the database gives it back.

A bit that flips on the disk makes another number, which nobody would notice; a row that is not what its digest says is
damaged, and never VALID.
"""

import hashlib
from dataclasses import dataclass, replace

from controller.model.codec import dump
from controller.model.interleaved import Interleaved
from controller.model.result import Estimate, Measurement, Round, Run, TensorCheck
from jetfleet.metrics import NAMES


@dataclass(frozen=True)
class Origin:
    """What a row is a measurement of: contents, where the row itself has only a number."""

    task_id: int
    job_id: int
    attempt_token: str
    engine_key: str | None
    device_id: str
    facts: str
    variant: str
    measured_at: str


def row_digest(origin: Origin, item: Measurement) -> str:
    """Of a measurement `as_stored`, or as it was read."""
    samples = item.samples and (item.samples.sha256, item.samples.size_bytes)
    said = (
        list(vars(origin).items()),
        (item.subject_index, item.provenance.value, item.verdict, samples),
        (item.n, item.warmup_n, item.processes, item.accuracy_n, item.window_s, item.warmup_s),
        [_round(part) for part in item.rounds],
        sorted((name, part.value, part.low, part.high, part.reason) for name, part in item.metrics.items()),
        [(part.kind.value, part.evidence) for part in item.flags],
        sorted(repr(vars(part)) for part in item.checks),
        *sorted(item.circumstances.items()),  # none: the digest is as before there were any
        *(dump(part) for part in item.runs),
        *([] if item.repeats is None else [item.repeats]),
    )
    return hashlib.sha256(repr(said).encode(errors="backslashreplace")).hexdigest()


def interleaved_digest(task_id: int, item: Interleaved) -> str:
    """Of the ratios of a task, as the database gives them back."""
    runs = [
        (run.index, run.second_loaded_first, sorted((name, float(value)) for name, value in run.ratios.items()))
        for run in item.runs
    ]
    left_out = [run.left_out for run in item.runs]
    said = (task_id, runs, left_out, list(item.looks), float(item.margin), float(item.confidence), item.stopped)
    return hashlib.sha256(repr(said).encode(errors="backslashreplace")).hexdigest()


def as_stored(item: Measurement) -> Measurement:
    """As SQLite gives it back: a column of floats makes 2.0 of 2 and NULL of NaN; metrics by their declared names."""
    return replace(
        item,
        window_s=float(item.window_s),
        warmup_s=float(item.warmup_s),
        rounds=tuple(Round(part.n, float(part.p50_ms), float(part.mean_ms), part.run) for part in item.rounds),
        metrics={name: _estimate(part) for name, part in item.metrics.items() if name in NAMES},
        checks=tuple(_check(part) for part in item.checks),
        runs=tuple(_run(part) for part in item.runs),
    )


def _round(part: Round) -> tuple[float, ...]:
    """Of the first run as it was before there were others."""
    return (part.n, part.p50_ms, part.mean_ms, *([part.run] if part.run else []))


def _run(part: Run) -> Run:
    """JSON keeps floats exactly, and a whole one as what it is written as."""
    return replace(
        part,
        window_s=float(part.window_s),
        warmup_s=float(part.warmup_s),
        load_s=float(part.load_s),
        metrics={name: float(value) for name, value in part.metrics.items()},
        within_low_ms=_float(part.within_low_ms),
        within_high_ms=_float(part.within_high_ms),
    )


def _estimate(part: Estimate) -> Estimate:
    return Estimate(_float(part.value), _float(part.low), _float(part.high), part.reason)


def _check(part: TensorCheck) -> TensorCheck:
    return replace(
        part,
        max_abs=_float(part.max_abs),
        max_rel=_float(part.max_rel),
        cosine=_float(part.cosine),
        snr_db=_float(part.snr_db),
        top1_agreement=_float(part.top1_agreement),
        equal_share=_float(part.equal_share),
        norm_ratio=_float(part.norm_ratio),
        worst_slice_cosine=_float(part.worst_slice_cosine),
        worst_slice_norm_ratio=_float(part.worst_slice_norm_ratio),
    )


def _float(value: float | None) -> float | None:
    return None if value is None or value != value else float(value)
