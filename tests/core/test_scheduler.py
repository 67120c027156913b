"""Which task an idle device takes."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.keys import device_class
from controller.core.scheduler import can_run, leave_to_others, pick
from controller.model.task import AttemptState, FailureKind, TaskKind
from testing.devices import device, orin
from testing.specs import versions, where
from testing.tasks import bench, ended, failed

CPU_CLASS = device_class(device(), runtime="onnxruntime", placement="cpu").key


def build(task_id=1, /, **changes):
    values = {"kind": TaskKind.BUILD, "runtime_version": "1.23.2", "class_key": CPU_CLASS}
    return bench(task_id, **(values | changes))


def test_nothing_ready_nothing_picked():
    assert pick(device(), []) is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (bench(9, job_id=9, priority=1), build(1, job_id=1, priority=0)),
        (bench(9, job_id=1), build(1, job_id=2)),
        (build(9), bench(1)),
        (bench(1), bench(2)),
        (build(1), build(2)),
        (bench(1, priority=0), bench(2, priority=-1)),
    ],
    ids=["priority", "older job", "BUILD before BENCH", "older task", "older build", "negative priority"],
)
def test_order(first, second):
    for ready in ([first, second], [second, first]):
        assert pick(device(), ready) is first


def make(item):
    task_id, (kind, job_id, priority) = item
    return (build if kind is TaskKind.BUILD else bench)(task_id, job_id=job_id, priority=priority)


RANKS = st.tuples(st.sampled_from(TaskKind), st.integers(1, 3), st.integers(-1, 1))


@given(st.lists(RANKS, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_is_total_and_independent_of_the_listing(ranks, random):
    tasks = [make(item) for item in enumerate(ranks)]
    shuffled = random.sample(tasks, len(tasks))
    best = pick(device(), tasks)
    assert best is pick(device(), shuffled)
    assert best.priority == max(task.priority for task in tasks)
    rivals = [task for task in tasks if task.priority == best.priority]
    assert best.job_id == min(task.job_id for task in rivals)
    rivals = [task for task in rivals if task.job_id == best.job_id]
    assert best.kind is TaskKind.BUILD or all(task.kind is TaskKind.BENCH for task in rivals)


def test_a_bound_bench_runs_on_its_device_only():
    task = bench(device_id="a", conditions=())
    assert pick(device("a"), [task]) is task
    assert pick(device("b"), [task]) is None


def test_an_any_bench_runs_where_its_conditions_hold():
    task = bench(conditions=(where("hostname", "a"), versions("python", ">=3.10")))
    assert pick(device("x", hostname="a", python="3.11.7"), [task]) is task
    assert pick(device("x", hostname="b", python="3.11.7"), [task]) is None
    assert pick(device("x", hostname="a"), [task]) is None


def test_a_build_runs_on_its_class_with_its_runtime_version():
    assert can_run(device("anybody"), build())
    assert not can_run(device(cpu_model="Ryzen"), build())
    assert not can_run(device(drop=("cpu_isa",)), build())
    assert not can_run(device(runtime__onnxruntime="1.24.0"), build())
    assert not can_run(device(drop=("runtime.onnxruntime",)), build())


def test_a_bench_needs_its_runtime_and_placement_even_when_bound():
    assert not can_run(device("a", drop=("runtime.onnxruntime",)), bench(device_id="a"))
    assert not can_run(device("a"), bench(device_id="a", placement="gpu"))
    assert not can_run(orin(dla_cores=1), bench(runtime="tensorrt", placement="dla1"))
    assert can_run(orin(), bench(runtime="tensorrt", placement="dla1"))


def test_a_cordoned_device_takes_nothing():
    assert pick(device(cordoned="too hot"), [bench(), build(2)]) is None


FAULT = (failed(FailureKind.DEVICE_FAULT, "a"),)


def test_a_task_that_met_a_fault_is_left_to_others_that_can():
    task = bench(history=FAULT)
    assert pick(device("a"), [task], others=[device("a"), device("b")]) is None
    assert pick(device("b"), [task], others=[device("a"), device("b")]) is task


@pytest.mark.parametrize(
    "others",
    [
        [],
        [device("a")],
        [device("b", drop=("runtime.onnxruntime",))],
        [device("b", cordoned="hot")],
        [device("b", online=False)],
    ],
    ids=["alone", "only itself", "cannot", "cordoned", "offline"],
)
def test_a_shunned_device_tries_again_where_nobody_else_can(others):
    task = bench(history=FAULT)
    assert pick(device("a"), [task], others=others) is task
    assert not leave_to_others(device("a"), task, others)


def test_a_bound_bench_is_not_left_to_anybody():
    task = bench(device_id="a", history=FAULT)
    assert pick(device("a"), [task], others=[device("a"), device("b")]) is task


def test_a_task_that_failed_everywhere_is_not_left_to_others_that_failed_too():
    task = bench(history=(*FAULT, failed(FailureKind.INFRASTRUCTURE, "b")))
    others = [device("a"), device("b")]
    assert pick(device("a"), [task], others=others) is task
    assert pick(device("a"), [task], others=[*others, device("c")]) is None


@pytest.mark.parametrize(
    "end",
    [failed(FailureKind.CRASHED, "a"), ended(AttemptState.EXPIRED, on="a"), ended(AttemptState.RETURNED, on="a")],
    ids=str,
)
def test_what_is_not_the_devices_fault_is_tried_there_again(end):
    task = bench(history=(end,))
    assert pick(device("a"), [task], others=[device("b")]) is task


def test_leaving_one_task_does_not_stop_a_device_from_taking_the_next():
    shunning, other = bench(1, history=FAULT), bench(2)
    assert pick(device("a"), [shunning, other], others=[device("b")]) is other


def test_of_equal_boards_each_takes_what_it_may():
    """Every device of a mixed fleet gets exactly what can_run says, for every kind of task."""
    fleet = [device("a"), device("b", cpu_model="Ryzen"), orin("c")]
    tasks = [build(1), bench(2, device_id="b"), bench(3, runtime="tensorrt", placement="gpu")]
    able = {(item.name, task.task_id) for item, task in itertools.product(fleet, tasks) if can_run(item, task)}
    assert able == {("a", 1), ("b", 2), ("c", 3)}
    assert {item.name: pick(item, tasks).task_id for item in fleet} == {"a": 1, "b": 2, "c": 3}
