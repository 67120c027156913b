"""Timing caches: handed to every BUILD of a class and version, combined, and never lost to a BUILD beside it."""

from dataclasses import replace

import pytest

from controller.model.engine import EngineView
from controller.model.facts import Facts
from controller.model.lease import BenchWork, BuildWork, Lease
from controller.store.queries.engines import engine_view
from testing.devices import AGX_ORIN
from testing.specs import on_tensorrt, spec
from tests.store.fleet import StoreFleet, built

A, B, C = ("aa" * 32, "bb" * 32, "cc" * 32)


def model(number: int) -> str:
    return f"{number:02x}" * 32


def handed(lease: Lease) -> list[str]:
    assert isinstance(lease.work, BuildWork)
    return [item.sha256 for item in lease.work.timing_caches]


def kept(fleet: StoreFleet) -> list[object]:
    return [row["sha256"] for row in fleet.sql("SELECT sha256 FROM timing_cache ORDER BY id")]


def build(fleet: StoreFleet, session: str, *, cache: str, number: int = 1, placement: str = "gpu") -> list[str]:
    """Submits and builds one model; returns what its BUILD was handed, and combined with its own."""
    fleet.submit(on_tensorrt(placement, model=model(number), options={"avg_timing_iterations": str(number)}))
    lease = fleet.must_claim(session)
    found = handed(lease)
    fleet.commit(session, lease.token, built(cache=cache, handed=tuple(found)))
    return found


def with_board(fleet: StoreFleet, name: str = "orin", facts: Facts = AGX_ORIN) -> str:
    fleet.register(name, facts=facts)
    return f"{name}/1"


def test_a_build_is_handed_what_the_last_one_left_and_its_own_takes_its_place(fleet: StoreFleet) -> None:
    session = with_board(fleet)
    assert build(fleet, session, cache=A, number=1) == []
    fleet.run_all(session)
    assert build(fleet, session, cache=B, number=2) == [A]
    assert kept(fleet) == [B]


def test_a_repeated_build_chooses_for_itself(fleet: StoreFleet) -> None:
    session = with_board(fleet)
    build(fleet, session, cache=A, number=1)
    fleet.run_all(session)
    job = on_tensorrt("gpu", model=model(1), options={"avg_timing_iterations": "1"})
    fleet.submit(replace(job, variants=tuple(replace(item, repeat=1, key="again") for item in job.variants)))
    lease = fleet.must_claim(session)
    assert isinstance(lease.work, BuildWork)
    assert lease.work.recipe.repeat == 1
    assert handed(lease) == []


def test_a_build_that_timed_nothing_new_leaves_the_cache_where_it_is(fleet: StoreFleet) -> None:
    session = with_board(fleet)
    build(fleet, session, cache=A, number=1)
    fleet.run_all(session)
    assert build(fleet, session, cache=A, number=2) == [A]
    assert kept(fleet) == [A]


def test_two_builds_at_the_same_time_lose_no_timings(fleet: StoreFleet) -> None:
    first, second = with_board(fleet, "orin-1"), with_board(fleet, "orin-2")
    build(fleet, first, cache=A, number=1)
    fleet.run_all(first)
    fleet.run_all(second)
    fleet.submit(on_tensorrt(options={"avg_timing_iterations": "2"}))
    fleet.submit(on_tensorrt(options={"avg_timing_iterations": "3"}))
    leases = [fleet.must_claim(first), fleet.must_claim(second)]
    assert [handed(lease) for lease in leases] == [[A], [A]]
    fleet.commit(first, leases[0].token, built(cache=B, handed=(A,)))
    fleet.commit(second, leases[1].token, built(cache=C, handed=(A,)))
    assert kept(fleet) == [B, C]
    fleet.run_all(first)
    fleet.run_all(second)
    assert build(fleet, first, cache=A, number=4) == [B, C]
    assert kept(fleet) == [A]


def test_a_cold_build_gets_none_and_takes_none_away(fleet: StoreFleet) -> None:
    session = with_board(fleet)
    build(fleet, session, cache=A, number=1)
    fleet.run_all(session)
    fleet.submit(on_tensorrt(options={"timing_cache": "cold"}))
    lease = fleet.must_claim(session)
    assert handed(lease) == []
    fleet.commit(session, lease.token, built(cache=B))
    assert kept(fleet) == [A, B]


@pytest.mark.parametrize(
    "facts",
    [{"sm_count": 12}, {"l4t": "36.5.0"}, {"runtime.tensorrt": "10.7.0"}, {"module": "p3701-0004"}],
    ids=lambda changed: next(iter(changed)),
)
def test_caches_never_cross_a_class_or_a_version(fleet: StoreFleet, facts: Facts) -> None:
    session = with_board(fleet)
    build(fleet, session, cache=A, number=1)
    fleet.run_all(session)
    other = with_board(fleet, "other", {**AGX_ORIN, **facts})
    fleet.submit(on_tensorrt(options={"avg_timing_iterations": "2"}))
    assert handed(fleet.must_claim(other)) == []
    assert handed(fleet.must_claim(session)) == [A]


def test_boards_whose_class_is_unknown_share_nothing(fleet: StoreFleet) -> None:
    vague = {name: value for name, value in AGX_ORIN.items() if name != "sm_count"}
    first, second = with_board(fleet, "vague-1", vague), with_board(fleet, "vague-2", vague)
    build(fleet, first, cache=A, number=1)
    fleet.submit(on_tensorrt(options={"avg_timing_iterations": "2"}))
    assert handed(fleet.must_claim(second)) == []


def test_a_cache_whose_file_is_gone_is_not_handed_out(fleet: StoreFleet) -> None:
    session = with_board(fleet)
    build(fleet, session, cache=A, number=1)
    fleet.run_all(session)
    fleet.lost_blobs.add(A)
    assert build(fleet, session, cache=B, number=2) == []


def test_a_lease_that_is_asked_for_again_is_the_same(fleet: StoreFleet) -> None:
    session = with_board(fleet)
    build(fleet, session, cache=A, number=1)
    fleet.run_all(session)
    fleet.submit(on_tensorrt(options={"avg_timing_iterations": "2"}))
    assert fleet.claim(session, request="again") == fleet.claim(session, request="again")


def test_a_runtime_without_caches_has_none(fleet: StoreFleet) -> None:
    fleet.register("pc")
    fleet.submit(spec())
    assert handed(fleet.must_claim("pc/1")) == []


def test_a_stale_commit_leaves_the_caches_alone(fleet: StoreFleet) -> None:
    session = with_board(fleet)
    fleet.submit(on_tensorrt())
    lease = fleet.must_claim(session)
    fleet.alive.clear()
    fleet.register("orin", session="orin/2", boot="boot-2", facts=AGX_ORIN)
    assert fleet.commit("orin/2", lease.token, built(cache=A)).stale
    assert kept(fleet) == []


def test_what_was_handed_stays_with_the_engine(fleet: StoreFleet) -> None:
    session = with_board(fleet)
    build(fleet, session, cache=A, number=1)
    fleet.run_all(session)
    build(fleet, session, cache=B, number=2)
    rows = fleet.sql("SELECT timing_caches_handed AS n, timing_cache_hits, timing_cache_misses FROM v_engines")
    assert sorted(tuple(row.values()) for row in rows) == [(0, 3, 1), (1, 3, 1)]


def test_a_second_job_builds_nothing_and_fetches_by_digest(fleet: StoreFleet) -> None:
    first, second = with_board(fleet, "orin-1"), with_board(fleet, "orin-2")
    fleet.submit(on_tensorrt())
    lease = fleet.must_claim(first)
    fleet.commit(first, lease.token, built(cache=A))
    assert fleet.claim(second) is not None
    fleet.run_all(first)
    again = fleet.submit(on_tensorrt())
    assert [task.reused for task in again.tasks if task.kind.value == "BUILD"] == [True]
    assert [kind for kind, _ in fleet.states(again.job_id)] == ["BENCH", "BENCH"]
    bench = fleet.must_claim(first).work
    assert isinstance(bench, BenchWork)
    assert bench.subjects[0].engine.sha256 == view(fleet, bench.subjects[0].engine_key).built.engine.sha256


def view(fleet: StoreFleet, name: str) -> EngineView:
    return fleet.reader.read(lambda connection: engine_view(connection, name))
