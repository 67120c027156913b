"""Why a result takes its time, from evidence alone: each cause with what shows it and one next step. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from controller.model.job import Precision
from controller.model.result import FlagKind, Measurement, Row
from controller.model.slow import Cause, CauseKind, SlowEvidence
from jetfleet.plural import counted

COPY_SHARE = 0.2  # of the latency: from there on copies are worth a look
AROUND_SHARE = 0.3  # of e2e: what a pipeline does around the engine
LAYER_SHARE = 0.4  # of the layers' time, of one of several
BOUND_SHARE = 0.5  # of the latency, that the device's own ceiling explains
IDLE_SHARE = 0.1  # of a ceiling: below, the device waits for something else
_LEAST_LAYERS = 4
_FLOAT32 = ("matmul_gflop_per_s", "fp32", 1)
_TF32 = ("matmul_tf32_gflop_per_s", "tf32", 1)
_HALF = ("matmul_fp16_gflop_per_s", "fp16", 2)
_INT8 = ("matmul_int8_gop_per_s", "int8", 4)
# The ceilings that a precision is held against, narrowest first: the metric, its type, and how often a tensor of that
# type fits into float32's bytes. A device that does not multiply in a type has none of it.
_CEILINGS = {
    Precision.FP32: (_FLOAT32,),
    Precision.TF32: (_TF32, _FLOAT32),
    Precision.FP16: (_HALF, _FLOAT32),
    Precision.INT8: (_INT8, _HALF, _FLOAT32),
}
_LOW = (Precision.FP16, Precision.INT8)

_OF_FLAGS = {
    FlagKind.PRECISION_NOT_HONOURED: (
        CauseKind.PRECISION,
        "compare with the precision that really ran; another runtime or placement may have kernels for this one",
    ),
    FlagKind.THROTTLED: (CauseKind.THROTTLING, "cool the board, or measure in a power mode that it can hold"),
    FlagKind.CLOCK_DRIFT: (CauseKind.THROTTLING, "lock the clocks: `measure: {clocks: locked}`"),
    FlagKind.INTERFERED: (CauseKind.NEIGHBOURS, "stop what else runs there, and measure again"),
    FlagKind.BOUND_BY_LAUNCHES: (CauseKind.LAUNCHES, "options: {cuda_graph: on}; else a larger batch"),
    FlagKind.TACTICS_SKIPPED: (CauseKind.TACTICS, "give the builder memory: workspace_mib, tactic_dram_mib"),
}


def explain_slowness(evidence: SlowEvidence) -> tuple[Cause, ...]:
    """Every cause that the evidence shows, in the order in which they are worth a look."""
    return tuple(cause for look in _LOOKS for cause in look(evidence))


def _flags(evidence: SlowEvidence) -> Iterator[Cause]:
    for flag in evidence.row.measurement.flags:
        if flag.kind in _OF_FLAGS:
            kind, step = _OF_FLAGS[flag.kind]
            yield Cause(kind, flag.evidence, step)


def _around(evidence: SlowEvidence) -> Iterator[Cause]:
    item = evidence.row.measurement
    around, whole = _sum(item, ("pre_mean_ms", "post_mean_ms")), item.value("e2e_mean_ms")
    if whole and around / whole >= AROUND_SHARE:
        shown = f"the steps around the engine take {around:.3g} of {whole:.3g} ms ({around / whole:.0%})"
        step = "smaller images to decode, a cheaper interpolation, or the steps in the graph itself"
        yield Cause(CauseKind.PIPELINE, shown, step, share=around / whole)


def _copies(evidence: SlowEvidence) -> Iterator[Cause]:
    item = evidence.row.measurement
    copies, latency = _sum(item, ("h2d_p50_ms", "d2h_p50_ms")), item.value("p50_ms")
    if latency and copies / latency >= COPY_SHARE:
        shown = f"copies take {copies:.3g} of {latency:.3g} ms ({copies / latency:.0%})"
        step = "zero_copy: on where host and device share memory; else smaller inputs and outputs, or inflight: 2"
        yield Cause(CauseKind.COPIES, shown, step, share=copies / latency)


def _fallback(evidence: SlowEvidence) -> Iterator[Cause]:
    if evidence.fallbacks:
        first = evidence.fallbacks[0]
        shown = f"{counted(len(evidence.fallbacks), 'layer')} of a DLA's engine run on the GPU: {first}"
        step = "replace these layers by ones that the DLA takes, or place the whole network on the GPU"
        yield Cause(CauseKind.FALLBACK, shown, step)


def _one_layer(evidence: SlowEvidence) -> Iterator[Cause]:
    if len(evidence.layers) < _LEAST_LAYERS:
        return
    name, share = max(evidence.layers, key=lambda layer: layer[1])
    if share >= LAYER_SHARE:
        shown = f"{name} takes {share:.0%} of the time of {counted(len(evidence.layers), 'layer')}"
        yield Cause(CauseKind.LAYER, shown, "look at that layer first: its shape, and its type", share=share)


def _roofline(evidence: SlowEvidence) -> Iterator[Cause]:
    """Operations and bytes against what this device reached when it was measured."""
    item, work = evidence.row.measurement, evidence.workload
    ceiling, bandwidth = arithmetic_ceiling(evidence.row), item.value("copy_gb_per_s")
    latency = item.value("p50_ms")
    if work is None or ceiling is None or not bandwidth or not latency:
        return
    rate, name, narrower = ceiling
    moved = (work.weight_bytes + work.tensor_bytes) / narrower
    least = _Least(
        arithmetic_ms=work.flop / rate / 1e6,
        weights_ms=work.weight_bytes / narrower / bandwidth / 1e6,
        memory_ms=moved / bandwidth / 1e6,
    )
    told = f"{work.flop / 1e9:.3g} GFLOP at {rate:.4g} GFLOP/s are {least.arithmetic_ms:.3g} ms"
    seen = (
        f"{told}, {moved / 1e6:.3g} MB at {bandwidth:.3g} GB/s {least.memory_ms:.3g} ms, of {latency:.3g} ms "
        f"(in {name}; both rates measured on this device)"
    )
    if (bound := least.bound_of(latency, batch=evidence.row.batch)) is not None:
        kind, share = bound
        yield Cause(kind, seen, _step_of(kind, evidence), share=min(share, 1.0))


@dataclass(frozen=True)
class _Least:
    """How long the work takes at the least: the operations, the weights alone, and all that is moved."""

    arithmetic_ms: float
    weights_ms: float
    memory_ms: float

    def bound_of(self, latency_ms: float, *, batch: int) -> tuple[CauseKind, float] | None:
        """What explains the latency, and which share of it; None where it is something in between."""
        certain_ms = max(self.arithmetic_ms, self.weights_ms)
        if certain_ms >= BOUND_SHARE * latency_ms:
            kind = CauseKind.ARITHMETIC if self.arithmetic_ms >= self.weights_ms else CauseKind.MEMORY
            return kind, certain_ms / latency_ms
        most_ms = max(self.arithmetic_ms, self.memory_ms)
        if most_ms >= BOUND_SHARE * latency_ms:
            return CauseKind.MEMORY, most_ms / latency_ms
        if most_ms < IDLE_SHARE * latency_ms:
            return (CauseKind.BATCH if batch == 1 else CauseKind.OVERHEAD), 1 - most_ms / latency_ms
        return None


def arithmetic_ceiling(row: Row) -> tuple[float, str, int] | None:
    """Of the type that the row's precision runs in on that device: the rate, the type's name, and how often it fits
    into float32; None where none was measured."""
    for metric, name, narrower in _CEILINGS[row.precision]:
        if rate := row.measurement.value(metric):
            return rate, name, narrower
    return None


def _step_of(kind: CauseKind, evidence: SlowEvidence) -> str:
    if kind is CauseKind.BATCH:
        return "a larger batch: the work of one is too small for the device"
    if kind is CauseKind.OVERHEAD:
        return "fewer, larger layers; look at the layers' times"
    if evidence.row.precision in _LOW:
        what = "fewer operations" if kind is CauseKind.ARITHMETIC else "fewer or smaller tensors"
        return f"{what}: a smaller input or network; the precision is low already"
    if kind is CauseKind.MEMORY:
        return "a narrower type (fp16, int8), which moves half or a quarter of the bytes; else smaller tensors"
    return "a lower precision (fp16, int8) where the device computes in it; else a smaller input or network"


def _sum(item: Measurement, names: Sequence[str]) -> float:
    return sum(item.value(name) or 0.0 for name in names)


_LOOKS: Sequence[Callable[[SlowEvidence], Iterator[Cause]]] = (
    _flags,
    _around,
    _copies,
    _fallback,
    _roofline,
    _one_layer,
)
