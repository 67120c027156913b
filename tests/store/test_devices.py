"""Sessions, reboots, twins, `any` targets and cordons."""

import pytest

from controller.model.job import Condition, Op, Quantifier
from controller.model.lease import BuildWork, Registered, Registration
from controller.model.task import FailureKind, JobState, TaskState
from controller.model.view import ResultQuery
from controller.store.commands import devices
from controller.store.commands.depart import depart, leave
from controller.store.commands.register import register
from controller.store.commands.renew import expire, touch
from controller.store.queries import explain, results
from controller.store.queries.devices import device_views, open_boards
from jetfleet.errors import BadInput, Conflict, StaleSession
from testing.devices import CPU
from testing.specs import ANY, labelled, spec
from tests.store.fleet import StoreFleet, failed


def rack(name: str) -> dict[str, object]:
    return {**CPU, "label.rack": name}


def test_registering_again_is_the_same_session(fleet: StoreFleet) -> None:
    assert fleet.register("a").device_name == "a"
    assert fleet.register("a").device_name == "a"
    assert len(fleet.sql("SELECT * FROM session")) == 1


def test_a_name_that_is_taken_gets_a_number(fleet: StoreFleet) -> None:
    fleet.register("a")
    who = fleet.sql("SELECT name FROM device")
    assert who == [{"name": "a"}]
    fleet.write(
        lambda c: register(
            c,
            Registration("other id", "s", "boot-1", "", "d", "0", "a", CPU, ()),
            alive=set(),
        )
    )
    assert [row["name"] for row in fleet.sql("SELECT name FROM device ORDER BY name")] == ["a", "a-2"]


def newcomer(fleet: StoreFleet, device: str, *, serial: str = "", asked: bool = True, alive: set[str]) -> Registered:
    who = Registration(device, f"{device}/1", "boot-1", serial, f"d {device}", "0", "a", CPU, (), name_asked=asked)
    return fleet.write(lambda c: register(c, who, alive=alive))


def test_a_name_that_was_asked_for_is_honoured_or_refused(fleet: StoreFleet) -> None:
    fleet.register("a")
    with pytest.raises(Conflict, match="the name a is taken by another device") as caught:
        newcomer(fleet, "other", alive=set())
    assert "controller devices adopt a other" in caught.value.hint
    fleet.write(lambda c: devices.adopt(c, "a", device_id="other"))
    assert newcomer(fleet, "other", alive=set()).device_name == "a"
    assert [row["id"] for row in fleet.sql("SELECT id FROM device")] == ["a"]


def test_a_board_with_an_empty_state_folder_is_the_same_board_by_its_serial(fleet: StoreFleet) -> None:
    fleet.register("a", serial="s-1")
    assert newcomer(fleet, "wiped", serial="s-1", alive=set()).device_name == "a"
    assert newcomer(fleet, "again", serial="s-1", alive=set()).device_name == "a"
    assert [row["id"] for row in fleet.sql("SELECT id FROM device")] == ["a"]
    with pytest.raises(Conflict):
        newcomer(fleet, "twin", serial="s-2", alive=set())


def test_what_a_person_says_of_a_device(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.write(lambda c: devices.label(c, "a", labels={"rack": "7", "old": "x"}))
    fleet.write(lambda c: devices.label(c, "a", labels={"old": ""}))
    fleet.write(lambda c: devices.rename(c, "a", new="orin-1"))
    fleet.write(lambda c: devices.cordon(c, "orin-1", reason="new fan"))
    fleet.register("a", session="a/2")  # a new agent process is no answer to a person
    (view,) = fleet.reader.read(lambda c: device_views(c, alive=set(), paused={}))
    assert (view.name, view.cordoned, view.facts["label.rack"]) == ("orin-1", "new fan", "7")
    assert "label.old" not in view.facts
    fleet.write(lambda c: devices.uncordon(c, "orin-1"))
    fleet.submit(spec())
    with pytest.raises(Conflict, match="it is online"):
        fleet.write(lambda c: devices.remove(c, "orin-1", force=False, alive={"a/2"}))
    with pytest.raises(Conflict, match="unfinished tasks"):
        fleet.write(lambda c: devices.remove(c, "orin-1", force=False, alive=set()))
    fleet.write(lambda c: devices.remove(c, "orin-1", force=True, alive=set()))
    assert fleet.reader.read(lambda c: device_views(c, alive=set(), paused={})) == []


def test_a_name_that_is_taken_is_a_mistake_of_who_renames(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.register("b")
    with pytest.raises(BadInput, match="the name b is taken by another device"):
        fleet.write(lambda c: devices.rename(c, "a", new="b"))
    fleet.write(lambda c: devices.rename(c, "a", new="a"))


def test_a_device_that_is_removed_leaves_nothing_unfinished(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.register("b")
    bound = fleet.submit(spec()).job_id  # for each of them
    for_any = fleet.submit(spec(8, targets=(ANY,)), key="any").job_id
    lease = fleet.must_claim("a/1")
    fleet.write(lambda c: devices.remove(c, "a", force=True, alive={"a/1"}))
    skipped = [task for task in fleet.job(bound).tasks if task.state is TaskState.SKIPPED]
    assert [task.failure.message for task in skipped if task.failure] == [
        "a was removed, and this was for no other device"
    ]
    with pytest.raises(StaleSession):
        fleet.finish("a/1", lease)
    fleet.run_all("b/1")
    assert [fleet.job(job_id).state for job_id in (bound, for_any)] == [JobState.FAILED, JobState.SUCCEEDED]


def test_a_device_that_is_removed_while_a_job_for_it_is_written(fleet: StoreFleet) -> None:
    fleet.register("a")
    submission = fleet.planned(spec())
    fleet.write(lambda c: devices.remove(c, "a", force=True, alive=set()))
    job_id = fleet.write_all(submission).job_id
    assert fleet.job(job_id).state is JobState.FAILED


def test_a_new_session_on_the_same_boot_closes_what_the_old_one_left(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    fleet.must_claim("a/1")
    fleet.register("a", session="a/2")
    assert fleet.sql("SELECT state, failure_message FROM attempt") == [
        {"state": "EXPIRED", "failure_message": "the agent was restarted"}
    ]
    assert fleet.states(job_id)[0] == ("BUILD", "READY")
    with pytest.raises(StaleSession):
        fleet.claim("a/1")
    assert fleet.claim("a/2") is not None


def test_a_reboot_closes_attempts_as_rebooted(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(spec())
    fleet.must_claim("a/1")
    fleet.alive.clear()
    fleet.register("a", session="a/2", boot="boot-2")
    assert fleet.sql("SELECT state FROM attempt") == [{"state": "REBOOTED"}]


def test_held_attempts_survive_a_new_session_and_commit_once(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(spec())
    lease = fleet.must_claim("a/1")
    fleet.alive.clear()
    registered = fleet.register("a", session="a/2", boot="boot-2", held=(lease.token, "unknown"))
    assert registered.lost == ("unknown",)
    assert fleet.finish("a/2", lease).task_state == "SUCCEEDED"
    assert fleet.finish("a/2", lease).task_state == "SUCCEEDED"


def test_two_live_boards_with_one_id_are_told_apart(fleet: StoreFleet) -> None:
    fleet.register("a", serial="S1")
    with pytest.raises(Conflict, match=r"serial S1, boot boot-1; and serial S2, boot boot-2"):
        fleet.register("a", session="a/2", boot="boot-2", serial="S2")
    fleet.register("a", session="a/2", boot="boot-2", serial="S1")  # the same board, rebooted in a moment


def test_a_silent_session_may_be_replaced_from_another_boot(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.alive.clear()
    assert fleet.register("a", session="a/2", boot="boot-2").device_name == "a"


def test_leaving_gives_the_work_back(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    fleet.must_claim("a/1")
    fleet.write(lambda c: leave(c, "a/1", reason="drained"))
    assert fleet.states(job_id)[0] == ("BUILD", "READY")
    with pytest.raises(StaleSession):
        fleet.claim("a/1")
    assert fleet.reader.read(open_boards) == {}


def test_one_attempt_at_a_time_in_a_bench_domain(fleet: StoreFleet) -> None:
    fleet.register("a", domain="host/cpu")
    fleet.register("b", domain="host/cpu")
    fleet.submit(spec(1, 8))
    lease = fleet.must_claim("a/1")
    assert fleet.claim("b/1") is None
    fleet.finish("a/1", lease)
    assert fleet.claim("b/1") is not None


def test_an_any_target_binds_to_who_claims_it(fleet: StoreFleet) -> None:
    fleet.register("a", facts=rack("1"))
    fleet.register("b", facts={**rack("2"), "cpu_model": "Other 1"})
    job_id = fleet.submit(spec(targets=(labelled("2", Quantifier.ANY),))).job_id
    assert fleet.states(job_id) == [("BENCH", "READY")]
    assert fleet.claim("a/1") is None
    assert isinstance(fleet.must_claim("b/1").work, BuildWork)
    assert fleet.states(job_id) == [("BUILD", "LEASED"), ("BENCH", "WAITING")]


def test_an_any_target_leaves_a_device_that_went_silent(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.register("b", facts={**CPU, "cpu_model": "Other 1"})
    job_id = fleet.submit(spec(targets=(ANY,))).job_id
    fleet.finish("a/1", fleet.must_claim("a/1"))
    assert fleet.job(job_id).tasks[1].device == "a"
    assert fleet.write(lambda c: depart(c, ["a/1"])) == 1
    assert len(fleet.run_all("b/1")) == 2
    assert fleet.job(job_id).tasks[-1].device == "b"


def test_unbinding_supersedes_a_build_that_nobody_wants(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec(targets=(ANY,))).job_id
    lease = fleet.must_claim("a/1")
    fleet.write(lambda c: expire(c, [lease.token], after_s=30))
    fleet.write(lambda c: depart(c, ["a/1"]))
    assert fleet.states(job_id) == [("BUILD", "SUPERSEDED"), ("BENCH", "READY")]
    assert len(fleet.run_all("a/1")) == 2
    assert fleet.states(job_id) == [("BUILD", "SUPERSEDED"), ("BUILD", "SUCCEEDED"), ("BENCH", "SUCCEEDED")]
    view = fleet.job(job_id)
    assert (view.state, view.done, view.total) == (JobState.SUCCEEDED, 2, 2)


def test_three_device_faults_of_different_tasks_cordon_a_device(fleet: StoreFleet) -> None:
    fleet.register("a")
    for batch in (1, 2, 3):
        fleet.submit(spec(batch))
    fleet.register("b")
    seen = set()
    while (lease := fleet.claim("a/1")) is not None and len(seen) < 4:
        seen.add(lease.task_id)
        fleet.commit("a/1", lease.token, failed(FailureKind.DEVICE_FAULT, "Xid 79"))
    assert len(seen) == 3
    assert "Xid 79" in str(fleet.sql("SELECT cordoned FROM device WHERE id = 'a'")[0]["cordoned"])
    assert fleet.sql("SELECT cordoned FROM device WHERE id = 'b'") == [{"cordoned": ""}]
    fleet.register("a", session="a/2")
    assert fleet.sql("SELECT cordoned FROM device WHERE id = 'a'") == [{"cordoned": ""}]


def test_a_faulty_device_leaves_a_build_to_its_equals(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.register("b")
    fleet.submit(spec())
    fleet.commit("a/1", fleet.must_claim("a/1").token, failed(FailureKind.DEVICE_FAULT))
    assert fleet.claim("a/1") is None
    assert fleet.claim("b/1") is not None


def test_views_tell_who_is_online_and_busy(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.register("b")
    fleet.submit(spec())
    fleet.must_claim("a/1")
    fleet.alive.discard("b/1")
    views = fleet.reader.read(lambda c: device_views(c, alive=fleet.alive, paused={}))
    assert [(view.name, view.online, view.busy_with) for view in views] == [
        ("a", True, "onnxruntime-fp32-b1-cpu"),
        ("b", False, ""),
    ]
    fleet.write(lambda c: touch(c, ["a/1"]))


def test_results_are_filtered_by_the_facts_of_their_time(fleet: StoreFleet) -> None:
    fleet.register("a", facts=rack("1"))
    fleet.submit(spec())
    fleet.run_all("a/1")
    fleet.register("a", facts=rack("2"))

    def found(value: str) -> int:
        query = ResultQuery(conditions=(Condition("label.rack", Op.EQUALS, (value,)),))
        return len(fleet.reader.read(lambda c: results.query_rows(c, query)))

    assert (found("1"), found("2")) == (1, 0)


@pytest.mark.parametrize("name", ["", 'a"b', "\0", "$", "x" * 64, "a b"])
def test_results_are_not_asked_for_by_what_is_no_label(fleet: StoreFleet, name: str) -> None:
    with pytest.raises(BadInput, match="is not a valid name of a label"):
        fleet.reader.read(lambda c: results.query_rows(c, ResultQuery(labels={name: "x"})))


def test_every_unfinished_task_is_explained(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec(1, 8)).job_id

    def told() -> list[str]:
        return [
            reason.why
            for reason in fleet.reader.read(lambda c: explain.reasons(c, job_id, alive=fleet.alive, progress={}))
        ]

    assert told()[0] == "is next on a, as soon as it asks for work"
    lease = fleet.must_claim("a/1")
    assert "was handed to a" in told()[0]
    assert f"busy with task {lease.task_id}" in told()[1]
    assert "waits for its engine" in told()[2]
    fleet.alive.clear()
    assert "offline since" in told()[1]
    fleet.alive.add("a/1")
    fleet.finish("a/1", lease)
    fleet.run_all("a/1")
    assert told() == []


def test_a_device_too_many_is_refused_and_those_that_are_known_are_not(fleet: StoreFleet) -> None:
    def registration(name: str, session: str) -> Registration:
        return Registration(name, session, "boot", "", f"domain of {name}", "0", name, CPU, ())

    fleet.register("a")
    fleet.register("b")
    with pytest.raises(Conflict, match="takes no more than 2") as refused:
        fleet.write(lambda c: register(c, registration("c", "c/1"), alive=set(), most_devices=2))
    assert "devices remove" in refused.value.hint
    fleet.write(lambda c: register(c, registration("a", "a/2"), alive=set(), most_devices=2))
    fleet.write(lambda c: devices.remove(c, "b", force=True, alive=set()))
    fleet.write(lambda c: register(c, registration("c", "c/1"), alive=set(), most_devices=2))
