"""`trtexec --exportTimes`: a list of inferences, with the keys and in the order of trtexec's sampleReporting.cpp."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat

from controller.record.arrays import Numbers
from controller.report.inferences.process import ProcessRecord


def trtexec_times(processes: Iterable[ProcessRecord], subject: int) -> list[dict[str, float]]:
    """Of one subject; processes follow one another, as if they were one. Copies that there are none of take no time."""
    found: list[dict[str, float]] = []
    end_ms = 0.0
    for process in processes:
        columns = process.subjects.get(subject, {})
        made = [_entry(*values, shift_ms=end_ms) for values in zip(*_columns(columns), strict=False)]
        found += made
        end_ms = made[-1]["endD2hMs"] if made else end_ms
    return found


def _columns(columns: Mapping[str, Numbers]) -> Sequence[Iterable[float]]:
    begins = columns.get("begin_ms", ())
    compute = columns.get("compute_ms", columns.get("latency_ms", ()))
    others = [columns.get(f"{stage}_ms", repeat(0.0, len(begins))) for stage in ("h2d", "d2h")]
    return begins, others[0], compute, others[1], columns.get("enqueue_ms", compute)


def _entry(
    begin_ms: float, h2d_ms: float, compute_ms: float, d2h_ms: float, enqueue_ms: float, *, shift_ms: float
) -> dict[str, float]:
    begin = begin_ms + shift_ms
    computed = begin + h2d_ms + compute_ms
    return {
        "startEnqMs": begin,
        "endEnqMs": begin + enqueue_ms,
        "startH2dMs": begin,
        "endH2dMs": begin + h2d_ms,
        "startComputeMs": begin + h2d_ms,
        "endComputeMs": computed,
        "startD2hMs": computed,
        "endD2hMs": computed + d2h_ms,
        "h2dMs": h2d_ms,
        "computeMs": compute_ms,
        "d2hMs": d2h_ms,
        "latencyMs": h2d_ms + compute_ms + d2h_ms,
    }
