"""Two variants in turns: one task of two subjects, a row of each, and the ratios of every process as rows."""

from dataclasses import replace

import pytest

from controller.model.interleaved import Interleaved, Pair, PairedRun
from controller.model.job import JobSpec, Target
from controller.model.lease import BenchWork, BuildWork, Lease, Measured, Outcome
from controller.model.result import Row, Schedule
from controller.model.view import ResultQuery
from controller.store.commands.collect import remove_job
from controller.store.commands.retry import plan_retry
from controller.store.queries.results import query_rows
from testing.devices import AGX_ORIN, CPU
from testing.specs import ANY, EVERY, on_tensorrt, spec, tensorrt
from tests.store.fleet import StoreFleet, measured_together, measurement

A, B = "onnxruntime-fp32-b1-cpu", "onnxruntime-fp32-b2-cpu"
FOUND = Interleaved(
    runs=(
        PairedRun(0, False, {"p50_ms": 1.05, "mean_ms": 1.06}),
        PairedRun(1, True, {"p50_ms": 1.04}, left_out="a gap of 1 s"),
    ),
    looks=(2, 4),
    margin=0.01,
    confidence=0.99,
    stopped="decided",
)


def pairs(*targets: Target) -> JobSpec:
    return replace(spec(1, 2, targets=targets or (EVERY,)), pairs=(Pair(A, B),))


def outcome(found: Interleaved | None = FOUND) -> Outcome:
    rows = (measurement(subject_index=0), measurement(p50_ms=2.1, subject_index=1))
    return Outcome(Measured(rows, found), (), 1000)


def rows(fleet: StoreFleet) -> list[Row]:
    return fleet.reader.read(lambda connection: query_rows(connection, ResultQuery()))


def claim_bench(fleet: StoreFleet, session: str = "a/1") -> Lease:
    while isinstance((lease := fleet.must_claim(session)).work, BuildWork):
        fleet.finish(session, lease)
    return lease


def test_a_pair_is_one_task_of_two_variants_after_both_builds(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(pairs())
    assert [(task.kind.value, task.name) for task in fleet.job(1).tasks][-1] == ("BENCH", f"{B} vs {A}")
    lease = claim_bench(fleet)
    assert isinstance(lease.work, BenchWork)
    assert lease.work.schedule is Schedule.INTERLEAVED
    assert [(item.variant_key, item.batch) for item in lease.work.subjects] == [(A, 1), (B, 2)]
    assert fleet.sql("SELECT count(*) AS n FROM task WHERE kind = 'BENCH'") == [{"n": 1}]


@pytest.mark.parametrize("target", [EVERY, ANY])
def test_each_is_a_row_and_the_candidate_has_the_ratios(fleet: StoreFleet, target: Target) -> None:
    fleet.register("a")
    fleet.submit(pairs(target))
    assert fleet.commit("a/1", claim_bench(fleet).token, outcome()).task_state == "SUCCEEDED"
    candidate, base = rows(fleet)
    assert (base.variant_key, candidate.variant_key) == (A, B)
    assert {row.schedule for row in (base, candidate)} == {Schedule.INTERLEAVED}
    assert (base.interleaved, candidate.interleaved) == (None, FOUND)
    found = fleet.sql("SELECT base, variant, device, run, metric, ratio, left_out FROM v_ratios ORDER BY run, metric")
    assert [tuple(row.values()) for row in found] == [
        (A, B, "a", 0, "mean_ms", 1.06, None),
        (A, B, "a", 0, "p50_ms", 1.05, None),
        (A, B, "a", 1, "p50_ms", 1.04, "a gap of 1 s"),
    ]


def test_only_a_device_that_can_run_both_takes_the_pair(fleet: StoreFleet) -> None:
    fleet.register("small", facts=CPU)
    fleet.register("orin", facts={**AGX_ORIN, "runtime.onnxruntime": "1.20"})
    on_gpu = tensorrt()
    both = replace(pairs(ANY), variants=(*spec(1).variants, on_gpu), pairs=(Pair(A, on_gpu.key),))
    fleet.submit(both)
    assert fleet.claim("small/1") is None
    lease = claim_bench(fleet, "orin/1")
    assert isinstance(lease.work, BenchWork)
    assert [item.runtime for item in lease.work.subjects] == ["onnxruntime", "tensorrt"]


def test_ratios_that_were_changed_on_the_disk_are_not_believed(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(pairs())
    fleet.commit("a/1", claim_bench(fleet).token, outcome())
    fleet.write(lambda connection: connection.exec_driver_sql("UPDATE ratio SET value = 0.9 WHERE run = 0"))
    candidate, base = rows(fleet)
    assert (candidate.measurement.verdict, candidate.interleaved) == ("DAMAGED", None)
    assert base.measurement.verdict == "VALID"


@pytest.mark.parametrize("found", [None, replace(FOUND, runs=(FOUND.runs[0], FOUND.runs[0]))])
def test_numbers_without_ratios_or_with_two_of_one_process_are_refused(
    fleet: StoreFleet, found: Interleaved | None
) -> None:
    fleet.register("a")
    fleet.submit(pairs())
    assert fleet.commit("a/1", claim_bench(fleet).token, outcome(found)).task_state == "FAILED"
    assert rows(fleet) == []


def test_ratios_of_what_was_not_in_turns_are_refused(fleet: StoreFleet) -> None:
    fleet.register("orin", facts=AGX_ORIN)
    fleet.submit(on_tensorrt("gpu+dla0"))
    lease = claim_bench(fleet, "orin/1")
    together = measured_together(2)
    assert isinstance(together.end, Measured)
    wrong = replace(together, end=replace(together.end, interleaved=FOUND))
    assert fleet.commit("orin/1", lease.token, wrong).task_state == "FAILED"


def test_a_retry_asks_for_the_pair_again(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(pairs())
    fleet.commit("a/1", claim_bench(fleet).token, outcome(None))
    again = fleet.reader.read(lambda connection: plan_retry(connection, 1, alive=fleet.alive, key="again"))
    job = fleet.write_all(again).job_id
    lease = claim_bench(fleet)
    assert isinstance(lease.work, BenchWork)
    assert [item.variant_key for item in lease.work.subjects] == [A, B]
    assert fleet.commit("a/1", lease.token, outcome()).task_state == "SUCCEEDED"
    assert fleet.job(job).state.value == "SUCCEEDED"


def test_a_job_that_is_removed_takes_its_ratios_along(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(pairs())
    fleet.commit("a/1", claim_bench(fleet).token, outcome())
    while not fleet.write(lambda connection: remove_job(connection, 1)):
        pass
    assert fleet.sql("SELECT task_id FROM ratio UNION ALL SELECT task_id FROM interleaved") == []
