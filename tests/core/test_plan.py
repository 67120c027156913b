"""The planner: a BUILD per engine key, a BENCH per variant and device, and useful words where there is no device."""

import pytest

from controller.core.boards import boards_by_engine
from controller.core.plan import build_for, plan
from controller.model.job import JobSpec, Precision
from controller.model.task import PlannedBench, PlannedSubject
from jetfleet.errors import BadInput, NoDevice
from testing.devices import device, orin
from testing.specs import any_of, every, job, tensorrt, variant, versions, where

TENSORRT = tensorrt(Precision.FP16, "gpu")
DLA = tensorrt(Precision.INT8, "dla0")


def test_a_job_without_targets_means_who_is_online_and_names_the_others():
    fleet = [device("a"), device("b", online=False), device("c", cordoned="hot"), device("d", online=False)]
    made = plan(job(), fleet, [])
    assert [bench.device_id for bench in made.benches] == ["a"]
    assert made.notes == (
        "b, d are offline: not meant without targets",
        "c is cordoned: not meant without targets",
    )
    everybody = plan(job(targets=(every(),)), fleet, [])
    assert [bench.device_id for bench in everybody.benches] == ["a", "b", "c", "d"]
    with pytest.raises(NoDevice, match="no device is online"):
        plan(job(), fleet[1:], [])


def test_a_device_is_selected_by_its_name():
    fleet = [device("a"), device("b", online=False)]
    assert [bench.device_id for bench in plan(job(targets=(every(where("device", "b")),)), fleet, []).benches] == ["b"]
    with pytest.raises(NoDevice) as caught:
        plan(job(targets=(every(where("device", "x")),)), fleet, [])
    assert caught.value.hint.startswith("nearest: a, which misses device = x (its device is a)")


def test_every_is_frozen_to_devices_and_any_stays_unbound():
    conditions = (where("arch", "x86_64"),)
    devices = [device("a"), device("b")]
    frozen = plan(job(targets=(every(*conditions),)), devices, [])
    assert [(bench.device_id, bench.conditions) for bench in frozen.benches] == [("a", ()), ("b", ())]
    loose = plan(job(targets=(any_of(*conditions),)), devices, [])
    assert loose.benches == (PlannedBench(variant().key, None, (PlannedSubject("cpu"),), conditions),)
    assert loose.builds == ()


def test_duplicate_and_overlapping_targets_do_not_duplicate_benches():
    targets = (every(), every(), every(where("arch", "x86_64")), any_of(), any_of())
    made = plan(job(targets=targets), [device("a"), device("b")], [])
    assert [bench.device_id for bench in made.benches] == ["a", "b", None]


def test_any_targets_with_other_conditions_are_other_benches():
    targets = (any_of(where("hostname", "a")), any_of(where("hostname", "b")))
    made = plan(job(targets=targets), [device("a", hostname="a"), device("b", hostname="b")], [])
    assert [bench.conditions for bench in made.benches] == [target.conditions for target in targets]


def test_every_variant_meets_every_device():
    variants = [variant(f"v{batch}", batch=batch) for batch in (1, 8, 16)]
    made = plan(job(*variants), [device("a"), device("b")], [])
    assert {(bench.variant_key, bench.device_id) for bench in made.benches} == {
        (key, name) for key in ("v1", "v8", "v16") for name in ("a", "b")
    }
    assert len(made.benches) == 6


def test_known_engines_are_reused_and_still_listed():
    first = plan(job(), [device()], [])
    again = plan(job(), [device()], [first.builds[0].engine_key, "f" * 64])
    assert first.reused == frozenset()
    assert again.reused == {first.builds[0].engine_key}
    assert again.builds == first.builds


def test_devices_left_out_are_noted_once():
    made = plan(job(TENSORRT, targets=(every(), every())), [device("box"), orin("nano")], [])
    assert [bench.device_id for bench in made.benches] == ["nano"]
    assert made.notes == ("box is left out of tensorrt-fp16-b1-gpu: it has no tensorrt (it has onnxruntime)",)


def test_a_note_for_every_variant_that_a_device_cannot_run():
    made = plan(job(TENSORRT, DLA), [orin("nano", module="p3767-0003"), orin("nx")], [])
    (note,) = made.notes
    assert note == "nano is left out of tensorrt-int8-b1-dla0: Jetson Orin Nano 8 GB has no DLA: place it on gpu"
    assert len(made.benches) == 3


def test_an_engine_names_the_boards_that_share_it():
    nanos = [orin(f"nano-{k}", sku="orin-nano-8gb", module="p3767-0003") for k in range(2)]
    fleet = [*nanos, orin("nx"), device("box")]
    told = boards_by_engine(plan(job(TENSORRT), fleet, []), fleet)
    assert sorted(told.values()) == ["orin-nano-8gb, L4T 36.4.3: 2", "orin-nx-16gb, L4T 36.4.3: 1"]


def test_notes_are_grouped_by_reason():
    nanos = [orin(f"nano-{number}", module="p3767-0003") for number in range(6)]
    (note,) = plan(job(TENSORRT, DLA), [*nanos, orin("nx")], []).notes
    assert note.startswith("nano-0, nano-1, nano-2, nano-3 and 2 more are left out of tensorrt-int8-b1-dla0: ")


def test_a_build_that_is_known_to_fail_is_warned_of():
    variant = tensorrt(Precision.INT8, "gpu")
    boards = [orin("old"), orin("new", runtime__tensorrt="10.16.2.10"), orin("newer", runtime__tensorrt="11.4.1")]
    (note,) = plan(job(variant), boards, []).notes
    assert note.startswith(
        "warning: tensorrt-int8-b1-gpu on new: building an INT8 Q/DQ graph with TensorRT 10.16.2.10 "
    )
    assert plan(job(tensorrt(Precision.FP16, "gpu")), boards, []).notes == ()


def test_an_orin_is_warned_of_releases_whose_server_build_lacks_its_code():
    versions = {"old": "10.3.0.30", "a": "10.13.3.9", "b": "10.15.1", "c": "10.16.0", "new": "10.16.1.11"}
    boards = [orin(name, runtime__tensorrt=version) for name, version in versions.items()]
    boards.append(orin("thor", runtime__tensorrt="10.13.3.9", compute_capability="11.0"))
    notes = plan(job(tensorrt(Precision.FP16, "gpu")), boards, []).notes
    assert [name for name in [*versions, "thor"] if any(f" on {name}: the SBSA build" in note for note in notes)] == [
        "a",
        "b",
        "c",
    ]


def test_no_device_at_all():
    with pytest.raises(NoDevice) as caught:
        plan(job(), [], [])
    assert caught.value.message == "no registered device matches target 'every device'"
    assert caught.value.expected == "a device with any facts"
    assert caught.value.hint == "no device has ever registered; `controller devices list` shows all"
    assert caught.value.exit_code == 4


def test_no_device_that_matches_names_the_nearest_miss():
    target = every(where("sku", "orin-nx-16gb"), versions("jetpack", ">=7"))
    with pytest.raises(NoDevice) as caught:
        plan(job(TENSORRT, targets=(target,)), [device("box"), orin("nano")], [])
    assert str(caught.value) == (
        "no registered device matches target 'every device with sku = orin-nx-16gb and jetpack >=7'\n"
        "  expected: a device with sku = orin-nx-16gb and jetpack >=7\n"
        "  fix: nearest: nano, which misses jetpack >=7 (its jetpack is 6.2); `controller devices list` shows all"
    )


@pytest.mark.parametrize("target", [every(), any_of()])
def test_no_matching_device_that_could_run_it(target):
    with pytest.raises(NoDevice) as caught:
        plan(job(TENSORRT, targets=(target,)), [device("box")], [])
    assert caught.value.message == f"no device that matches target '{target}' can run tensorrt-fp16-b1-gpu"
    assert caught.value.expected == "a device with runtime.tensorrt, and gpu to place it on"
    assert caught.value.hint == (
        "nearest: box (x86_64), but it has no tensorrt (it has onnxruntime); `agent doctor` there says why"
    )


def test_a_board_that_cannot_says_what_can():
    with pytest.raises(NoDevice) as caught:
        plan(job(tensorrt(Precision.FP16, "gpu+dla0"), targets=(every(),)), [orin("nano", module="p3767-0005")], [])
    assert (
        caught.value.hint
        == "nearest: nano (aarch64), but Jetson Orin Nano 8 GB (developer kit) has no DLA: place it on gpu"
    )


def test_one_target_without_a_device_refuses_the_whole_job():
    with pytest.raises(NoDevice):
        plan(job(targets=(every(), any_of(where("arch", "riscv64")))), [device()], [])


def test_a_job_without_variants_is_refused():
    with pytest.raises(BadInput, match="no variants"):
        plan(JobSpec(name="job", model_name="model", variants=(), targets=()), [device()], [])


def test_two_variants_with_one_key_are_refused():
    with pytest.raises(BadInput, match="2 variants have the key 'same'"):
        plan(job(variant("same"), variant("same", batch=8), variant("other")), [device()], [])


@pytest.mark.parametrize(
    "placement", ["dla", "dlaX", "", "dla2", "gpu+", "GPU", "dla10", "gpu\n", "+".join(9 * ["cpu"])]
)
def test_a_placement_that_makes_no_sense_is_refused(placement):
    with pytest.raises(BadInput, match="is not a placement") as caught:
        plan(job(variant("odd", placement=placement)), [device()], [])
    assert caught.value.where == "odd"


def test_planning_twice_gives_the_same_plan():
    devices = [device("a"), device("b", cpu_model="Ryzen")]
    spec = job(variant("x"), variant("y", batch=2), targets=(every(), any_of()))
    assert plan(spec, devices, []) == plan(spec, devices, [])


def test_what_is_remembered_of_one_board_holds_for_another():
    boards = [device("a"), device("b"), device("c", cpu_model="Ryzen"), device("d", runtime__onnxruntime="1.24.0")]
    (only,) = job().variants
    made = plan(job(), boards, [])
    planned = {item.device_id: item.subjects[0].engine_key for item in made.benches}
    assert planned == {item.id: build_for(only, item).engine_key for item in boards}
    assert len(made.builds) == 3


def test_a_refused_variant_is_a_bench_that_fails_at_once_and_the_others_run():
    refused = variant("no", refusal="in int8, output 'y' is too far from FP32")
    made = plan(job(variant(), refused), [device("a"), device("b")], [])
    assert [(bench.variant_key, bench.device_id, bench.refusal) for bench in made.benches] == [
        (variant().key, "a", ""),
        (variant().key, "b", ""),
        ("no", None, "in int8, output 'y' is too far from FP32"),
    ]
    assert len(made.builds) == 1
    assert made.notes == ("no is refused: in int8, output 'y' is too far from FP32",)
