"""Intervals of the device's history: what a bench is stored with, by what was committed before it."""

from dataclasses import replace

from controller.model.lease import BuildWork, Measured, Outcome
from controller.model.result import FlagKind, Measurement, Provenance
from controller.model.view import ResultQuery
from controller.store.queries import results
from testing.specs import spec
from tests.store.fleet import StoreFleet, built, measurement


def commit_benches(fleet: StoreFleet, device: str, items: list[Measurement]) -> list[Measurement]:
    """Each as a job of its own; in the order in which they were committed."""
    left = list(items)
    while left:
        fleet.submit(spec())
        while (lease := fleet.claim(device)) is not None:
            if isinstance(lease.work, BuildWork):
                fleet.commit(device, lease.token, built())
            else:
                fleet.commit(device, lease.token, Outcome(Measured((left.pop(0),)), (), 1000))
    rows = fleet.reader.read(lambda c: results.query_rows(c, ResultQuery(limit=100)))
    return [row.measurement for row in reversed(rows)][-len(items) :]


def half_width(item: Measurement) -> float:
    assert item.p50_ms.value
    assert item.p50_ms.high
    return item.p50_ms.high / item.p50_ms.value - 1


def quiet(p50_ms: float) -> Measurement:
    """Its runs say that a repeat would be within a hundredth."""
    found = measurement(p50_ms=p50_ms)
    near = replace(found.p50_ms, low=0.99 * p50_ms, high=1.01 * p50_ms)
    runs = tuple(replace(run, metrics={**run.metrics, "p50_ms": p50_ms + 0.001 * run.index}) for run in found.runs)
    return replace(found, metrics={**found.metrics, "p50_ms": near}, runs=runs)


def test_intervals_follow_what_the_device_repeats(fleet: StoreFleet) -> None:
    fleet.register("a")
    steady = commit_benches(fleet, "a/1", [quiet(2.0 + 0.001 * (number % 2)) for number in range(9)])
    assert [item.repeats for item in steady] == [0, 2, 3, 4, 5, 6, 7, 8, 9]
    assert half_width(steady[0]) > 0.06
    assert half_width(steady[-1]) < 0.011
    drifting = commit_benches(fleet, "a/1", [quiet(2.0 * (1 + 0.1 * (number % 2))) for number in range(12)])
    assert half_width(drifting[-1]) > 0.1


def test_what_is_not_valid_teaches_nothing(fleet: StoreFleet) -> None:
    fleet.register("a")
    disturbed = measurement(FlagKind.INTERFERED, p50_ms=3.0)
    found = commit_benches(fleet, "a/1", [disturbed, quiet(2.0), disturbed, quiet(2.0)])
    assert [item.repeats for item in found] == [0, 0, 2, 2]


def test_devices_know_nothing_of_each_other(fleet: StoreFleet) -> None:
    fleet.register("a")
    commit_benches(fleet, "a/1", [quiet(2.0) for _ in range(3)])
    fleet.register("b")
    (found,) = commit_benches(fleet, "b/1", [quiet(2.0)])
    assert found.repeats == 0


def test_a_simulated_device_has_the_intervals_of_its_runs(fleet: StoreFleet) -> None:
    fleet.register("a")
    made_up = replace(quiet(2.0), provenance=Provenance.SIMULATED)
    found = commit_benches(fleet, "a/1", [made_up, made_up])
    assert [(item.repeats, item.p50_ms) for item in found] == [(None, made_up.p50_ms)] * 2


def test_an_agent_does_not_say_what_its_controller_knows(fleet: StoreFleet) -> None:
    fleet.register("a")
    made_up = replace(quiet(2.0), provenance=Provenance.SIMULATED, repeats=99)
    (found,) = commit_benches(fleet, "a/1", [made_up])
    assert found.repeats is None


def test_widened_rows_are_what_was_committed(fleet: StoreFleet) -> None:
    fleet.register("a")
    found = commit_benches(fleet, "a/1", [quiet(2.0)])
    assert [item.verdict for item in found] == ["VALID"]
