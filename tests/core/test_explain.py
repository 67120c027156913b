"""Every sentence that an unfinished task can get, word by word: they are what a waiting user reads."""

import dataclasses
import itertools
from datetime import datetime, timezone

import pytest

from controller.core.explain import BlockingBuild, Fleet, OpenAttempt, Unfinished, why
from controller.core.keys import device_class
from controller.core.lifecycle import TERMINAL
from controller.core.scheduler import pick
from controller.model.state_words import state_word
from controller.model.task import AttemptState, FailureKind, TaskKind, TaskState
from testing.devices import device, orin
from testing.specs import tensorrt, variant, versions, where
from testing.tasks import bench, ended, failed

SEEN = datetime(2026, 3, 1, 9, 30, tzinfo=timezone.utc)


def build(task_id=1, /, board=None, **changes):
    klass = device_class(board or device(), runtime="onnxruntime", placement="cpu")
    values = {"kind": TaskKind.BUILD, "runtime_version": "1.23.2", "class_key": klass.key}
    return bench(task_id, **(values | changes))


def ready(candidate, fleet_devices, *, others=(), class_fields=(), running=None, last_seen=None):
    """Why a READY task waits, in a fleet where it and `others` are READY."""
    fleet = Fleet(fleet_devices, (candidate, *others), running or {}, last_seen or {})
    task = Unfinished(
        candidate.task_id,
        TaskState.READY,
        history=candidate.history,
        candidate=candidate,
        class_fields=class_fields,
    )
    return why(task, fleet)


def running_on(board, task_id=7, name="bench y", job_id=3):
    return {board.bench_domain: OpenAttempt(task_id, name, job_id, board, running=True)}


def waiting(build_state, device_name="", phase=""):
    blocked = BlockingBuild(4, "build x", build_state, device_name, phase)
    return why(Unfinished(5, TaskState.WAITING, blocked_by=blocked), Fleet([]))


@pytest.mark.parametrize(
    ("state", "where_", "sentence"),
    [
        (TaskState.WAITING, (), "waits for its engine: task 4 (build x) is waiting and has not started"),
        (TaskState.READY, (), "waits for its engine: task 4 (build x) is queued and has not started"),
        (TaskState.LEASED, (), "waits for its engine: task 4 (build x) runs"),
        (TaskState.LEASED, ("orin",), "waits for its engine: task 4 (build x) runs on orin"),
        (TaskState.LEASED, ("orin", "load"), "waits for its engine: task 4 (build x) runs on orin, phase load"),
        (TaskState.SUCCEEDED, (), "its engine was built by task 4 (build x); it is about to become ready"),
        *(
            (state, (), f"its engine will not come: task 4 (build x) is {state_word(state)}")
            for state in sorted(TERMINAL - {TaskState.SUCCEEDED}, key=str)
        ),
    ],
)
def test_waiting_for_an_engine(state, where_, sentence):
    assert waiting(state, *where_) == sentence


def test_waiting_for_nothing_that_is_known():
    text = why(Unfinished(5, TaskState.WAITING), Fleet([]))
    assert text == "waits to be planned: no engine is assigned to it yet"


def leased(*, running=True, phase="", cancel_asked=False, history=()):
    attempt = OpenAttempt(5, "bench x", 1, device("orin"), running=running, phase=phase)
    task = Unfinished(5, TaskState.LEASED, history=history, attempt=attempt, cancel_asked=cancel_asked)
    return why(task, Fleet([device("orin"), device("box")]))


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"running": False}, "was handed to orin, which has not started it yet"),
        ({}, "runs on orin"),
        ({"phase": "warm-up"}, "runs on orin, phase warm-up"),
        ({"phase": "warm-up", "cancel_asked": True}, "is being cancelled on orin"),
    ],
)
def test_leased(facts, sentence):
    assert leased(**facts) == sentence


@pytest.mark.parametrize(
    ("history", "told"),
    [
        ((failed(FailureKind.OUT_OF_MEMORY),), "attempt 2 of 2 after OUT_OF_MEMORY on box"),
        ((failed(FailureKind.DEVICE_FAULT),), "attempt 2 of 3 after DEVICE_FAULT on box"),
        ((failed(FailureKind.INFRASTRUCTURE),) * 2, "attempt 3 of 3 after INFRASTRUCTURE on box"),
        ((ended(AttemptState.EXPIRED),), "attempt 2 of 4 after EXPIRED on box"),
        ((ended(AttemptState.RETURNED),), "attempt 2 of 10 after RETURNED on box"),
        (
            (ended(AttemptState.RETURNED), failed(FailureKind.CRASHED, "gone")),
            "attempt 3 (2 of 2 of its kind) after CRASHED on gone",
        ),
    ],
)
def test_what_was_tried_before(history, told):
    assert leased(history=history) == f"runs on orin; {told}"
    task = bench(device_id="orin", history=history)
    assert ready(task, [device("orin"), device("box")]) == f"is next on orin, as soon as it asks for work; {told}"


BOUND = bench(1, job_id=2, device_id="orin")


def test_bound_to_a_device_that_is_offline():
    off = device("orin", online=False)
    assert ready(BOUND, [off]) == "waits for orin, which is offline"
    text = ready(BOUND, [off], last_seen={"orin": SEEN})
    assert text == "waits for orin, which is offline since 2026-03-01 09:30:00 UTC"


def test_bound_to_a_device_that_is_cordoned():
    text = ready(BOUND, [device("orin", cordoned="3 faults in a row")])
    assert text == "waits for orin, which is cordoned: 3 faults in a row"


def test_bound_to_a_device_that_is_busy():
    board = device("orin")
    text = ready(BOUND, [board], running=running_on(board))
    assert text == "waits for orin, which is busy with task 7 (bench y) of job 3"


def test_bound_to_a_device_whose_hardware_is_busy():
    board, twin = device("orin", domain="host"), device("twin", domain="host")
    text = ready(BOUND, [board, twin], running=running_on(twin))
    assert text == "waits for orin, which shares its hardware with twin, busy with task 7 (bench y) of job 3"


def test_bound_to_a_device_that_can_no_longer_run_it():
    text = ready(BOUND, [device("orin", drop=("runtime.onnxruntime",))])
    assert text == "waits for orin, but it has no onnxruntime (it has no runtime)"


def test_bound_to_a_device_that_is_gone():
    assert ready(BOUND, [device("box")]) == "waits for device orin, which is not registered"


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (bench(9, job_id=9, priority=5), "task 9 of job 9, which has priority 5 over 0"),
        (bench(9, job_id=1), "task 9 of job 1, an older job"),
        (build(9, job_id=2), "task 9 of job 2, a BUILD that others wait for"),
        (bench(0, job_id=2), "task 0 of job 2, which is older"),
    ],
)
def test_behind_another_task(first, told):
    assert ready(BOUND, [device("orin")], others=[first]) == f"waits for orin, which first takes {told}"


def test_next_on_its_device():
    after = bench(2, job_id=2)
    assert ready(BOUND, [device("orin")], others=[after]) == "is next on orin, as soon as it asks for work"


ANY = bench(1, conditions=(where("arch", "aarch64"), versions("jetpack", ">=6.1")), runtime="tensorrt", placement="gpu")


def test_any_without_a_match_names_the_nearest_miss():
    text = ready(ANY, [device("box"), orin("nano", jetpack="6.0")])
    assert text == (
        "no registered device matches its target; nearest: nano, which misses jetpack >=6.1 (its jetpack is 6.0)"
    )
    assert ready(ANY, []) == "no registered device matches its target; no device has ever registered"


def test_any_with_a_match_that_cannot():
    text = ready(ANY, [device("box"), orin("nano", drop=("runtime.tensorrt",))])
    assert text == (
        "no device that matches its target can run it; nearest: nano, but it has no tensorrt (it has no runtime)"
    )


def test_any_with_no_match_online():
    assert ready(ANY, [device("box"), orin("nano", online=False)]) == "waits for nano, which is offline"


def test_any_with_several_devices_in_the_way():
    boards = [orin("a", online=False), orin("b", cordoned="hot"), orin("c")]
    text = ready(ANY, boards, running=running_on(boards[2]))
    assert text == (
        "waits for one of 3 devices: a is offline, b is cordoned: hot, c is busy with task 7 (bench y) of job 3"
    )


def test_of_many_devices_three_are_named():
    boards = [orin(f"nano-{index}", online=False) for index in range(5)]
    text = ready(ANY, boards)
    assert text == ("waits for one of 5 devices: nano-0 is offline, nano-1 is offline, nano-2 is offline, 2 more")


def test_one_free_device_is_enough():
    boards = [orin("a", online=False), orin("b"), orin("c")]
    assert ready(ANY, boards) == "is next on b, as soon as it asks for work"


def test_left_to_others_by_the_device_that_was_at_fault():
    task = dataclasses.replace(ANY, history=(failed(FailureKind.DEVICE_FAULT, "a"),))
    boards = [orin("a"), orin("b")]
    text = ready(task, boards, running=running_on(boards[1]))
    assert text == (
        "waits for one of 2 devices: a met a fault with it and leaves it to the others, "
        "b is busy with task 7 (bench y) of job 3; attempt 2 of 3 after DEVICE_FAULT on a"
    )


CLASS = device_class(device(), runtime="onnxruntime", placement="cpu")
NO_CLASS = "no registered device is of the device class that it builds for"


@pytest.mark.parametrize(
    ("boards", "nearest"),
    [
        ([], "no device has ever registered"),
        ([device(cpu_model="Ryzen")], "nearest: box, whose cpu_model is Ryzen, not Xeon"),
        ([device(drop=("cpu_model",))], "nearest: box, whose cpu_model is unknown, not Xeon"),
        ([device(runtime__onnxruntime="1.24")], "nearest: box, whose onnxruntime is 1.24, not 1.23.2"),
        ([device(drop=("runtime.onnxruntime",))], "nearest: box, but it has no onnxruntime (it has no runtime)"),
        (
            [
                device("far", cpu_model="Ryzen", arch="aarch64", runtime__onnxruntime="1"),
                device("near", arch="aarch64"),
            ],
            "nearest: near, whose arch is aarch64, not x86_64",
        ),
        (
            [device(cpu_model="Ryzen", runtime__onnxruntime="1.24")],
            "nearest: box, whose onnxruntime is 1.24, not 1.23.2, whose cpu_model is Ryzen, not Xeon",
        ),
    ],
)
def test_a_build_whose_class_nobody_is_of(boards, nearest):
    assert ready(build(), boards, class_fields=CLASS.fields) == f"{NO_CLASS}; {nearest}"


def test_a_build_for_a_class_of_one_device():
    lone = device("lone", drop=("cpu_isa",))
    fields = device_class(lone, runtime="onnxruntime", placement="cpu").fields
    text = ready(build(1, lone), [device("twin", drop=("cpu_isa",))], class_fields=fields)
    assert text == f"{NO_CLASS}; nearest: twin, which is another one"


def test_a_build_waits_like_any_other_task():
    assert ready(build(), [device("a", online=False)]) == "waits for a, which is offline"
    assert ready(build(), [device("a")]) == "is next on a, as soon as it asks for work"


@pytest.mark.parametrize("state", [*TERMINAL, TaskState.READY, TaskState.LEASED], ids=str)
def test_what_is_over_or_half_told_has_no_reason(state):
    with pytest.raises(ValueError, match=f"task 5 is {state.value}"):
        why(Unfinished(5, state), Fleet([]))


def test_next_and_picked_are_the_same_for_every_small_fleet():
    """The sentence "is next on X" appears exactly where the scheduler would hand the task to X."""
    kinds = [
        lambda name: orin(name),
        lambda name: orin(name, online=False),
        lambda name: orin(name, cordoned="hot"),
        lambda name: orin(name, jetpack="5.1"),
        lambda name: orin(name, drop=("runtime.tensorrt",)),
    ]
    rivals = [bench(0, runtime="tensorrt", placement="gpu"), bench(5, runtime="tensorrt", placement="gpu", priority=1)]
    shunning = dataclasses.replace(ANY, history=(failed(FailureKind.DEVICE_FAULT, "a"),))
    told = []
    for one, two, other, task in itertools.product(kinds, kinds, [None, *rivals], [ANY, shunning]):
        boards = [one("a"), two("b")]
        tasks = [task] + ([other] if other else [])
        online = [board for board in boards if board.online]
        takers = [board.name for board in online if pick(board, tasks, others=online) is task]
        text = ready(task, boards, others=tasks[1:])
        assert text.startswith(f"is next on {takers[0]}," if takers else ("waits for", "no ")), (text, takers)
        told.append(text)
    assert len(set(told)) > 20


def test_a_pair_in_turns_waits_for_a_device_that_can_run_both() -> None:
    pair = bench(1, device_id="box", second=variant("second", runtime="tensorrt", placement="gpu"))
    sentence = ready(pair, [device("box")])
    assert sentence.startswith("waits for box, but it has no tensorrt")
    both = bench(1, device_id="orin", runtime="tensorrt", placement="gpu", second=tensorrt())
    assert "but it has no" not in ready(both, [orin("orin")])
