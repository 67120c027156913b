"""Why a result is slow: every cause from evidence that shows it, and none from evidence that does not."""

from dataclasses import replace

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
        (1000.0, WORK, [CauseKind.OVERHEAD]),
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
