"""`job why` and the ETA on real rows: each state that a task can wait in, and the sentence that it gets."""

import re
from dataclasses import replace

from controller.model.job import Limits, Quantifier
from controller.model.task import FailureKind, Progress
from controller.model.view import JobView
from controller.store.commands import deadlines
from controller.store.commands.cancel import cancel
from controller.store.commands.depart import depart
from controller.store.commands.renew import expire, start_attempts
from controller.store.queries import explain, forecast, jobs
from testing.devices import CPU
from testing.specs import ANY, labelled, spec
from tests.store.fleet import StoreFleet, failed

OTHER_CPU = {**CPU, "cpu_model": "Other 1"}


def why(
    fleet: StoreFleet,
    job_id: int,
    progress: dict[str, Progress] | None = None,
    *,
    paused: dict[str, str] | None = None,
) -> list[str]:
    return [
        f"{item.state.value}: {item.why}"
        for item in fleet.reader.read(
            lambda c: explain.reasons(c, job_id, alive=set(fleet.alive), progress=progress or {}, paused=paused or {})
        )
    ]


def test_from_submit_to_the_end(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    build_task = f"task {fleet.job(job_id).tasks[0].id} (BUILD onnxruntime-fp32-b1-cpu)"
    assert why(fleet, job_id) == [
        "READY: is next on a, as soon as it asks for work",
        f"WAITING: waits for its engine: {build_task} is queued and has not started",
    ]
    build = fleet.must_claim("a/1")
    assert why(fleet, job_id) == [
        "LEASED: was handed to a, which has not started it yet",
        f"WAITING: waits for its engine: {build_task} runs on a",
    ]
    fleet.write(lambda c: start_attempts(c, [build.token]))
    assert why(fleet, job_id, {build.token: Progress("build")}) == [
        "LEASED: runs on a, phase build",
        f"WAITING: waits for its engine: {build_task} runs on a, phase build",
    ]
    fleet.commit("a/1", build.token, failed(FailureKind.CRASHED))
    assert why(fleet, job_id)[0] == (
        "READY: is next on a, as soon as it asks for work; attempt 2 of 2 after CRASHED on a"
    )
    fleet.finish("a/1", fleet.must_claim("a/1"))
    assert why(fleet, job_id) == ["READY: is next on a, as soon as it asks for work"]
    fleet.run_all("a/1")
    assert why(fleet, job_id) == []


def test_a_paused_device_is_named_with_its_reason(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    full = {"a/1": "/var/lib/jetfleet has 3 MiB left on its disk"}
    assert why(fleet, job_id, paused=full)[0] == (
        "READY: waits for a, which is paused: /var/lib/jetfleet has 3 MiB left on its disk"
    )
    build = fleet.must_claim("a/1")
    fleet.write(lambda c: start_attempts(c, [build.token]))
    assert "that agent is paused: /var/lib/jetfleet has 3 MiB left" in why(fleet, job_id, paused=full)[0]


def test_a_build_that_failed_leaves_nobody_waiting(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    fleet.commit("a/1", fleet.must_claim("a/1").token, failed(FailureKind.BUILD_REFUSED))
    assert why(fleet, job_id) == []


def test_a_device_that_is_offline_cordoned_or_busy(fleet: StoreFleet) -> None:
    fleet.register("a")
    first, second = fleet.submit(spec()).job_id, fleet.submit(spec()).job_id
    fleet.finish("a/1", fleet.must_claim("a/1"))
    bench = fleet.must_claim("a/1")
    assert why(fleet, second) == [
        f"READY: waits for a, which is busy with task {bench.task_id} (onnxruntime-fp32-b1-cpu) of job {first}"
    ]
    fleet.finish("a/1", bench)
    fleet.alive.clear()
    (offline,) = why(fleet, second)
    assert offline.startswith("READY: waits for a, which is offline since 20")
    fleet.alive.add("a/1")
    fleet.write(lambda c: c.exec_driver_sql("UPDATE device SET cordoned = '3 faults'"))
    assert why(fleet, second) == ["READY: waits for a, which is cordoned: 3 faults"]


def test_hardware_that_another_device_uses(fleet: StoreFleet) -> None:
    fleet.register("a", domain="host")
    fleet.register("b", domain="host", facts=OTHER_CPU)
    job_id = fleet.submit(spec()).job_id
    build = fleet.must_claim("a/1")
    assert (
        f"READY: waits for b, which shares its hardware with a, busy with task {build.task_id} "
        f"(onnxruntime-fp32-b1-cpu) of job {job_id}"
    ) in why(fleet, job_id)


def test_any_that_nobody_matches_any_more(fleet: StoreFleet) -> None:
    fleet.register("a", facts={**CPU, "label.rack": "east"})
    job_id = fleet.submit(spec(targets=(labelled("east", Quantifier.ANY),))).job_id
    assert why(fleet, job_id) == ["READY: is next on a, as soon as it asks for work"]
    fleet.register("a", facts={**CPU, "label.rack": "west"})
    assert why(fleet, job_id) == [
        "READY: no registered device matches its target; nearest: a, which misses label.rack = east "
        "(its label.rack is west)"
    ]


def test_any_that_was_bound_and_given_back(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec(targets=(ANY,))).job_id
    build = fleet.must_claim("a/1")  # bound to a, it needs an engine first
    assert why(fleet, job_id)[1] == (
        f"WAITING: waits for its engine: task {build.task_id} (BUILD onnxruntime-fp32-b1-cpu) runs on a"
    )
    fleet.write(lambda c: expire(c, [build.token], after_s=30))
    fleet.alive.clear()
    fleet.write(lambda c: depart(c, ["a/1"]))
    (told,) = why(fleet, job_id)
    assert told.startswith("READY: waits for a, which is offline since ")


def test_a_build_of_a_class_that_is_gone(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.register("b", facts=OTHER_CPU)
    job_id = fleet.submit(spec()).job_id
    fleet.register("b", facts={"arch": "x86_64"})
    assert (
        "READY: no registered device is of the device class that it builds for; nearest: a, "
        "whose cpu_model is Xeon, not Other 1"
    ) in why(fleet, job_id)


def test_priority_and_age_ahead(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec(1)).job_id
    fleet.finish("a/1", fleet.must_claim("a/1"))
    older = fleet.job(job_id).tasks[1].id
    young = fleet.submit(spec(1, model="33" * 32)).job_id
    assert why(fleet, young)[0] == f"READY: waits for a, which first takes task {older} of job {job_id}, an older job"
    urgent = fleet.submit(spec(8, priority=5)).job_id
    first = fleet.job(urgent).tasks[0].id
    assert why(fleet, job_id) == [
        f"READY: waits for a, which first takes task {first} of job {urgent}, which has priority 5 over 0"
    ]


def test_a_deadline_ahead_and_behind(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(replace(spec(), limits=Limits(deadline_s=500))).job_id
    for told in why(fleet, job_id):
        left = re.search(r"deadline is in (\d+) s$", told)
        assert left, told
        assert 300 < int(left[1]) <= 500  # more than the test may take is left
    fleet.must_claim("a/1")
    fleet.write(lambda c: c.exec_driver_sql("UPDATE job SET deadline_steady_s = deadline_steady_s - 1e6"))
    assert all(told.endswith("deadline has just passed") for told in why(fleet, job_id))
    fleet.write(deadlines.time_out_overdue)
    assert why(fleet, job_id) == ["LEASED: is being stopped on a: its deadline has passed"]


def test_what_is_being_cancelled(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    fleet.must_claim("a/1")
    fleet.write(lambda c: cancel(c, job_id))
    assert why(fleet, job_id) == ["LEASED: is being cancelled on a"]


def seen(fleet: StoreFleet, job_id: int) -> JobView:
    past = fleet.reader.read(lambda c: forecast.past_durations(c, job_id))
    return fleet.reader.read(lambda c: jobs.job_view(c, job_id, progress={}, past=past, alive=set(fleet.alive)))


def lasted(fleet: StoreFleet, seconds: int) -> None:
    """Every attempt so far, as if it had taken so long."""
    fleet.write(
        lambda c: c.exec_driver_sql(
            "UPDATE attempt SET leased_at = strftime('%Y-%m-%dT%H:%M:%f', ended_at, ?) || '+00:00' "
            "WHERE state = 'COMMITTED'",
            (f"-{seconds} seconds",),
        )
    )


def test_an_eta_comes_from_the_same_work_on_the_same_device(fleet: StoreFleet) -> None:
    fleet.register("a")
    first = fleet.submit(spec(1, 8)).job_id
    assert seen(fleet, first).eta_s is None
    fleet.run_all("a/1")
    assert seen(fleet, first).eta_s is None  # it is over
    lasted(fleet, 20)
    again = fleet.submit(spec(1, 8)).job_id
    assert seen(fleet, again).eta_s == 40
    rebuilt = fleet.submit(spec(1, 8, model="33" * 32)).job_id  # other weights: its engines have to be built
    assert seen(fleet, rebuilt).eta_s == 80
    token = fleet.must_claim("a/1").token
    begun = "strftime('%Y-%m-%dT%H:%M:%f', leased_at, '-5 seconds') || '+00:00'"
    fleet.write(lambda c: c.exec_driver_sql(f"UPDATE attempt SET leased_at = {begun} WHERE token = ?", (token,)))
    assert 20 < (seen(fleet, again).eta_s or 0) <= 35  # five seconds of it are over, and what this test took
    fleet.alive.clear()
    assert seen(fleet, again).eta_s is None


def test_no_eta_for_what_was_never_run(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(spec(1))
    fleet.run_all("a/1")
    lasted(fleet, 20)
    assert seen(fleet, fleet.submit(spec(1, 2)).job_id).eta_s is None
    fleet.register("b")
    assert seen(fleet, fleet.submit(spec(1)).job_id).eta_s is None
    assert seen(fleet, fleet.submit(spec(1, targets=(ANY,))).job_id).eta_s is None
