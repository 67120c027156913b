"""Subjects that run at the same time: an engine each, a row each, and one row for the whole."""

from dataclasses import replace

import pytest

from controller.model.job import Lowering, Mode
from controller.model.lease import BenchWork, BuildWork, Lease, Measured, Outcome
from controller.model.result import Estimate, Row, Schedule
from controller.model.view import ResultQuery
from controller.store.queries.results import query_rows
from testing.devices import AGX_ORIN
from testing.specs import ANY, batch_variant, on_tensorrt, spec
from tests.store.fleet import StoreFleet, measured, measured_together, measurement

KEY = "tensorrt-fp16-b1-gpu+dla0+dla1"


def rows(fleet: StoreFleet, query: ResultQuery | None = None) -> list[Row]:
    return fleet.reader.read(lambda connection: query_rows(connection, query or ResultQuery()))


def bench(fleet: StoreFleet, placement: str = "gpu+dla0+dla1") -> Lease:
    """Submits, does the builds, and claims the BENCH."""
    fleet.register("orin", facts=AGX_ORIN)
    fleet.submit(on_tensorrt(placement))
    return claim_bench(fleet, "orin/1")


def claim_bench(fleet: StoreFleet, session: str) -> Lease:
    while isinstance((lease := fleet.must_claim(session)).work, BuildWork):
        fleet.finish(session, lease)
    return lease


def test_each_part_of_a_placement_is_a_subject_and_dlas_share_an_engine(fleet: StoreFleet) -> None:
    work = bench(fleet).work
    assert isinstance(work, BenchWork)
    assert work.schedule is Schedule.CONCURRENT
    assert [item.placement for item in work.subjects] == ["gpu", "dla0", "dla1"]
    on_gpu, on_dla, on_other = (item.engine_key for item in work.subjects)
    assert on_dla == on_other != on_gpu
    assert fleet.sql("SELECT count(*) AS n FROM task WHERE kind = 'BUILD'") == [{"n": 2}]


def test_there_is_a_row_for_each_subject_and_one_for_the_whole(fleet: StoreFleet) -> None:
    lease = bench(fleet)
    assert fleet.commit("orin/1", lease.token, measured_together(3)).task_state == "SUCCEEDED"
    whole, *subjects = rows(fleet)
    assert [(row.measurement.subject_index, row.placement) for row in reversed(subjects)] == [
        (0, "gpu"),
        (1, "dla0"),
        (2, "dla1"),
    ]
    assert (whole.placement, whole.part, whole.label) == ("gpu+dla0+dla1", "whole task", f"{KEY} (whole task)")
    assert (whole.runtime, whole.runtime_version, whole.engine_key, whole.lowering) == ("tensorrt", "10.3.0", "", None)
    assert whole.measurement.p50_ms.value is None
    assert whole.measurement.p50_ms.reason == "several subjects have no one latency"
    assert whole.measurement.value("throughput_per_s") == 480.0
    assert {row.variant_key for row in (whole, *subjects)} == {KEY}
    assert {row.schedule for row in (whole, *subjects)} == {Schedule.CONCURRENT}
    assert {row.placement: row.lowering for row in subjects} == {
        "gpu": Lowering.TYPED_GRAPH,
        "dla0": Lowering.BUILDER_FLAGS,
        "dla1": Lowering.BUILDER_FLAGS,
    }


def test_the_views_tell_the_whole_and_its_subjects_apart(fleet: StoreFleet) -> None:
    fleet.commit("orin/1", bench(fleet).token, measured_together(3))
    found = fleet.sql(
        "SELECT variant, subject_index, placement, schedule, mode, runtime, runtime_version, lowering, p50_ms,"
        " p50_ms_reason FROM v_results ORDER BY subject_index"
    )
    assert {(row["variant"], row["schedule"], row["mode"]) for row in found} == {(KEY, "CONCURRENT", "latency")}
    assert {(row["runtime"], row["runtime_version"]) for row in found} == {("tensorrt", "10.3.0")}
    assert [(row["subject_index"], row["placement"], row["lowering"], row["p50_ms"]) for row in found] == [
        (None, "gpu+dla0+dla1", None, None),
        (0, "gpu", "typed-graph", 2.0),
        (1, "dla0", "builder-flags", 3.0),
        (2, "dla1", "builder-flags", 4.0),
    ]
    assert found[0]["p50_ms_reason"] == "several subjects have no one latency"
    rounds = fleet.sql("SELECT DISTINCT subject_index FROM v_rounds ORDER BY 1")
    assert [row["subject_index"] for row in rounds] == [0, 1, 2]


def test_subjects_that_share_an_engine_share_it_with_the_whole(fleet: StoreFleet) -> None:
    fleet.register("pc")
    twice = replace(batch_variant(), key="onnxruntime-fp32-b1-cpu+cpu", placement="cpu+cpu")
    fleet.submit(replace(spec(), variants=(twice,)))
    lease = claim_bench(fleet, "pc/1")
    fleet.commit("pc/1", lease.token, measured_together(2))
    found = rows(fleet, ResultQuery(variant_keys=(twice.key,)))
    assert len(found) == 3
    assert len({row.engine_key for row in found}) == 1
    assert {row.lowering for row in found} == {Lowering.TYPED_GRAPH}


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (measured_together(2), "the agent measured no subject [2]"),
        (measured_together(3, whole=False), "the agent measured the subjects, and not the whole"),
        (measured_together(4), "the agent measured subjects [0, 1, 2, 3, None] of [0, 1, 2]"),
    ],
    ids=["too few", "no whole", "too many"],
)
def test_what_does_not_answer_the_task_is_refused(fleet: StoreFleet, outcome: Outcome, said: str) -> None:
    lease = bench(fleet)
    assert fleet.commit("orin/1", lease.token, outcome).task_state == "FAILED"
    assert fleet.sql("SELECT failure_message AS said FROM v_attempts WHERE kind = 'BENCH'") == [{"said": said}]
    assert rows(fleet) == []


def test_a_subject_that_was_measured_twice_is_refused(fleet: StoreFleet) -> None:
    lease = bench(fleet, "gpu")
    twice = replace(measured(), end=Measured((measurement(), measurement())))
    assert fleet.commit("orin/1", lease.token, twice).task_state == "FAILED"


def test_the_one_row_of_a_subject_alone_tells_its_manner(fleet: StoreFleet) -> None:
    lease = bench(fleet, "dla1")
    share = replace(measurement(), metrics={"dla_time_share": Estimate(0.75)})
    fleet.commit("orin/1", lease.token, replace(measured(), end=Measured((share,))))
    (row,) = rows(fleet)
    assert (row.schedule, row.mode, row.part, row.placement) == (Schedule.ALONE, Mode.LATENCY, "", "dla1")
    assert row.measurement.value("dla_time_share") == 0.75
    assert fleet.sql("SELECT dla_time_share AS share FROM v_results") == [{"share": 0.75}]


def test_an_any_target_binds_all_its_subjects(fleet: StoreFleet) -> None:
    fleet.register("orin", facts=AGX_ORIN)
    fleet.submit(replace(on_tensorrt("gpu+dla0"), targets=(ANY,)))
    lease = claim_bench(fleet, "orin/1")
    assert isinstance(lease.work, BenchWork)
    assert [item.placement for item in lease.work.subjects] == ["gpu", "dla0"]
    assert all(item.engine.sha256 for item in lease.work.subjects)
