"""Why a result is slow: every cause from evidence that shows it, and none from evidence that does not."""

from dataclasses import replace
from typing import Any

import pytest

from controller.analysis.slow import explain_slowness
from controller.model.job import Precision, Workload
from controller.model.result import Estimate, Flag, FlagKind
from controller.model.slow import CauseKind, SlowEvidence
from testing.measurements import row

WORK = Workload(flop=1_000_000_000, weight_bytes=4_000_000, tensor_bytes=8_000_000)
CEILINGS = {"matmul_gflop_per_s": Estimate(100.0), "copy_gb_per_s": Estimate(10.0)}  # 10 ms, 0.4 ms, 1.2 ms


def kinds(evidence: SlowEvidence) -> list[CauseKind]:
    found = explain_slowness(evidence)
    assert all(cause.evidence and cause.step for cause in found)
    return [cause.kind for cause in found]


@pytest.mark.parametrize(
    ("p50_ms", "work", "wanted"),
    [
        (12.0, WORK, [CauseKind.ARITHMETIC]),
        (1000.0, WORK, [CauseKind.BATCH]),
        (40.0, WORK, []),
        (1.0, Workload(1_000_000, 8_000_000, 10_000), [CauseKind.MEMORY]),
        (1.0, Workload(1_000_000, 10_000, 8_000_000), [CauseKind.MEMORY]),
        (12.0, None, []),
    ],
)
def test_work_is_held_against_what_the_device_reached(
    p50_ms: float, work: Workload | None, wanted: list[CauseKind]
) -> None:
    assert kinds(SlowEvidence(row(p50_ms=Estimate(p50_ms), **CEILINGS), workload=work)) == wanted


@pytest.mark.parametrize(
    ("precision", "rates", "told"),
    [
        (Precision.FP16, {"matmul_fp16_gflop_per_s": 200.0}, "at 200 GFLOP/s are 5 ms, 6 MB at 10 GB/s 0.6 ms"),
        (Precision.FP16, {}, "at 100 GFLOP/s are 10 ms, 12 MB at 10 GB/s 1.2 ms, of 5 ms (in fp32;"),
        (Precision.TF32, {"matmul_tf32_gflop_per_s": 250.0}, "at 250 GFLOP/s are 4 ms, 12 MB at 10 GB/s 1.2 ms"),
        (Precision.INT8, {"matmul_int8_gop_per_s": 400.0}, "at 400 GFLOP/s are 2.5 ms, 3 MB at 10 GB/s 0.3 ms"),
        (Precision.INT8, {"matmul_fp16_gflop_per_s": 200.0}, "at 200 GFLOP/s are 5 ms, 6 MB at 10 GB/s 0.6 ms"),
    ],
)
def test_a_precision_is_held_against_products_of_the_type_that_it_runs_in(
    precision: Precision, rates: dict[str, float], told: str
) -> None:
    found = row(p50_ms=Estimate(5.0), **CEILINGS, **{name: Estimate(rate) for name, rate in rates.items()})
    (cause,) = explain_slowness(SlowEvidence(replace(found, precision=precision), workload=WORK))
    assert cause.kind is CauseKind.ARITHMETIC
    assert told in cause.evidence
    assert "measured on this device" in cause.evidence


def test_every_cause_is_reached_from_evidence_of_its_own_and_has_one_step() -> None:
    def low(**changes: Any) -> SlowEvidence:
        return SlowEvidence(row(p50_ms=Estimate(1.0), **changes))

    def flagged(kind: FlagKind) -> SlowEvidence:
        return low(flags=(Flag(kind, "as seen"),))

    idle = SlowEvidence(row(p50_ms=Estimate(1000.0), **CEILINGS), workload=WORK)
    constructed = {
        CauseKind.PRECISION: flagged(FlagKind.PRECISION_NOT_HONOURED),
        CauseKind.THROTTLING: flagged(FlagKind.THROTTLED),
        CauseKind.NEIGHBOURS: flagged(FlagKind.INTERFERED),
        CauseKind.LAUNCHES: flagged(FlagKind.BOUND_BY_LAUNCHES),
        CauseKind.TACTICS: flagged(FlagKind.TACTICS_SKIPPED),
        CauseKind.PIPELINE: low(pre_mean_ms=Estimate(20.0), e2e_mean_ms=Estimate(25.0)),
        CauseKind.COPIES: low(h2d_p50_ms=Estimate(0.25)),
        CauseKind.FALLBACK: SlowEvidence(row(), fallbacks=("softmax (SOFTMAX: not taken)",)),
        CauseKind.ARITHMETIC: SlowEvidence(row(p50_ms=Estimate(12.0), **CEILINGS), workload=WORK),
        CauseKind.MEMORY: SlowEvidence(row(p50_ms=Estimate(1.0), **CEILINGS), workload=Workload(10**6, 8 * 10**6, 10)),
        CauseKind.BATCH: idle,
        CauseKind.OVERHEAD: replace(idle, row=replace(idle.row, batch=16)),
        CauseKind.LAYER: SlowEvidence(row(), layers=(("conv", 0.7), ("a", 0.1), ("b", 0.1), ("c", 0.1))),
    }
    assert set(constructed) == set(CauseKind)
    steps = set()
    for kind, evidence in constructed.items():
        (found,) = explain_slowness(evidence)
        assert found.kind is kind
        assert found.evidence
        steps.add(found.step)
    assert len(steps) == len(constructed), "a step that fits two causes says little of either"


def test_without_ceilings_nothing_is_said_of_arithmetic() -> None:
    assert kinds(SlowEvidence(row(p50_ms=Estimate(12.0)), workload=WORK)) == []


def test_a_low_precision_is_not_advised_where_it_runs_already() -> None:
    def step(precision: Precision) -> str:
        found = replace(row(p50_ms=Estimate(12.0), **CEILINGS), precision=precision)
        return explain_slowness(SlowEvidence(found, workload=WORK))[0].step

    assert "lower precision" in step(Precision.FP32)
    assert "lower precision" not in step(Precision.INT8)


@pytest.mark.parametrize(
    ("flag", "kind"),
    [
        (FlagKind.BOUND_BY_LAUNCHES, CauseKind.LAUNCHES),
        (FlagKind.THROTTLED, CauseKind.THROTTLING),
        (FlagKind.PRECISION_NOT_HONOURED, CauseKind.PRECISION),
        (FlagKind.INTERFERED, CauseKind.NEIGHBOURS),
        (FlagKind.TACTICS_SKIPPED, CauseKind.TACTICS),
    ],
)
def test_a_flag_is_a_cause_with_its_own_evidence(flag: FlagKind, kind: CauseKind) -> None:
    (found,) = explain_slowness(SlowEvidence(row(flags=(Flag(flag, "as seen"),))))
    assert (found.kind, found.evidence) == (kind, "as seen")


def test_copies_are_a_cause_from_a_fifth_of_the_latency_on() -> None:
    few = {"h2d_p50_ms": Estimate(0.1), "d2h_p50_ms": Estimate(0.05)}
    assert kinds(SlowEvidence(row(p50_ms=Estimate(1.0), **few))) == []
    (found,) = explain_slowness(SlowEvidence(row(p50_ms=Estimate(1.0), **{**few, "h2d_p50_ms": Estimate(0.25)})))
    assert (found.kind, found.share) == (CauseKind.COPIES, pytest.approx(0.3))


def test_steps_around_the_engine_are_a_cause() -> None:
    stages = {"pre_mean_ms": Estimate(20.0), "post_mean_ms": Estimate(1.0), "e2e_mean_ms": Estimate(25.0)}
    assert kinds(SlowEvidence(row(**stages))) == [CauseKind.PIPELINE]


def test_one_layer_among_several_and_what_a_dla_leaves() -> None:
    layers = (("conv", 0.7), ("a", 0.1), ("b", 0.1), ("c", 0.1))
    assert kinds(SlowEvidence(row(), layers=layers)) == [CauseKind.LAYER]
    assert kinds(SlowEvidence(row(), layers=layers[:2])) == []
    assert kinds(SlowEvidence(row(), fallbacks=("softmax (SOFTMAX: not taken)",))) == [CauseKind.FALLBACK]
