"""What a retry plans: what did not succeed, for its devices as they are now; and when it is refused."""

import pytest

from controller.core.plan import build_for
from controller.core.retry import PreviousBench, plan_again
from controller.model.task import TaskState
from jetfleet.errors import BadInput, NoDevice
from testing.devices import device
from testing.specs import variant, where

S = TaskState
ONE, TWO = variant("one"), variant("two", options={"threads": "2"})
BOX = device("box")


def tried(item=ONE, state=S.FAILED, on="box", conditions=None):
    return PreviousBench(item, state, on, conditions)


def again(*items, devices=(BOX,), known=()):
    return plan_again(items, devices, known, job_id=4)


@pytest.mark.parametrize("state", [S.FAILED, S.CANCELLED, S.TIMED_OUT, S.SKIPPED])
def test_only_what_did_not_succeed(state):
    plan = again(tried(ONE, S.SUCCEEDED), tried(TWO, state))
    assert [(bench.variant_key, bench.device_id, bench.conditions) for bench in plan.benches] == [("two", "box", ())]
    assert [build.engine_key for build in plan.builds] == [build_for(TWO, BOX).engine_key]


def test_engines_that_are_known_are_reused_and_two_benches_share_one():
    twin = device("twin")
    key = build_for(ONE, BOX).engine_key
    plan = again(tried(), tried(on="twin"), devices=[BOX, twin], known=[key, "other"])
    assert (len(plan.builds), len(plan.benches), plan.reused) == (1, 2, {key})


def test_facts_of_now_decide():
    newer = device("box", runtime__onnxruntime="1.24.0")
    assert again(tried(), devices=[newer]).benches[0].subjects[0].engine_key != build_for(ONE, BOX).engine_key


def test_any_is_open_to_whoever_matches_again():
    conditions = (where("arch", "aarch64"),)
    bench = again(tried(on="box", conditions=conditions), tried(on=None, conditions=())).benches
    assert [(item.device_id, item.subjects[0].engine_key, item.conditions) for item in bench] == [
        (None, None, conditions),
        (None, None, ()),
    ]


def test_a_device_that_can_no_longer_run_it_is_left_out():
    bare = device("bare", drop=("runtime.onnxruntime",))
    plan = again(tried(), tried(on="bare"), devices=[BOX, bare])
    assert [bench.device_id for bench in plan.benches] == ["box"]
    assert plan.notes == ("bare is left out of one: it has no onnxruntime (it has no runtime)",)
    with pytest.raises(NoDevice, match="no device can run what is left of job 4"):
        again(tried(on="bare"), devices=[bare])


def test_refused_when_everything_succeeded():
    with pytest.raises(BadInput, match="everything in job 4 succeeded"):
        again(tried(state=S.SUCCEEDED))


@pytest.mark.parametrize("state", [S.WAITING, S.READY, S.LEASED])
def test_refused_while_the_job_runs(state):
    with pytest.raises(BadInput, match="job 4 is not over: 1 of 2 BENCH tasks have not ended"):
        again(tried(), tried(TWO, state))
