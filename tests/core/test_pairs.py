"""Pairs of a job: one BENCH for each, on devices that can run both."""

from dataclasses import replace

import pytest

from controller.core.plan import plan
from controller.model.interleaved import Pair
from controller.model.job import JobSpec, Measure, Mode, Precision
from controller.model.result import Schedule
from jetfleet.errors import BadInput, NoDevice
from testing.devices import device, orin
from testing.specs import any_of, every, job, tensorrt, variant

A, B, C = (variant(f"v{name}") for name in "abc")


def pairs(*keys: tuple[str, str], spec: JobSpec | None = None) -> JobSpec:
    return replace(spec or job(A, B, C), pairs=tuple(Pair(*pair) for pair in keys))


def test_several_variants_are_held_against_each_other_two_by_two():
    made = plan(pairs(("va", "vb"), ("va", "vc")), [device("x"), device("y")], ())
    assert [(item.name, item.device_id) for item in made.benches] == [
        ("vb vs va", "x"),
        ("vb vs va", "y"),
        ("vc vs va", "x"),
        ("vc vs va", "y"),
    ]
    assert {item.schedule for item in made.benches} == {Schedule.INTERLEAVED}
    assert [subject.variant_key for subject in made.benches[2].subjects] == ["va", "vc"]


def test_a_pair_on_any_device_is_bound_when_it_is_claimed():
    spec = replace(pairs(("va", "vb")), targets=(any_of(),))
    (bench,) = plan(spec, [device("x")], ()).benches
    assert (bench.device_id, [item.engine_key for item in bench.subjects]) == (None, [None, None])


def test_no_device_for_both_is_told_with_who_runs_which():
    spec = job(variant("on-cpu", runtime="onnxruntime"), tensorrt(key="on-gpu"), targets=(every(),))
    with pytest.raises(NoDevice) as caught:
        plan(pairs(("on-cpu", "on-gpu"), spec=spec), [device("x"), orin("y", drop=("runtime.onnxruntime",))], ())
    assert "both" in caught.value.message


def test_a_variant_of_several_parts_has_no_turns():
    spec = job(tensorrt(Precision.FP16), tensorrt(Precision.FP16, "gpu+dla0"))
    with pytest.raises(BadInput, match="several parts"):
        plan(pairs((spec.variants[0].key, spec.variants[1].key), spec=spec), [orin()], ())


def test_only_latency_has_turns():
    spec = replace(pairs(("va", "vb")), measure=Measure(mode=Mode.THROUGHPUT, streams=2))
    with pytest.raises(BadInput, match="the mode is throughput"):
        plan(spec, [device("x")], ())


@pytest.mark.parametrize("runtimes", [("simulated", "onnxruntime"), ("onnxruntime", "simulated")])
def test_what_is_simulated_is_not_held_against_what_is_measured(runtimes: tuple[str, str]):
    spec = job(*(variant(f"v{index}", runtime=runtime) for index, runtime in enumerate(runtimes)))
    with pytest.raises(BadInput, match=r"is simulated and v\d is measured") as caught:
        plan(pairs(("v0", "v1"), spec=spec), [device("x", runtime__simulated="1")], ())
    assert (caught.value.where, caught.value.expected) == ("--ab", "both simulated, or neither")
    both = replace(spec, variants=tuple(replace(item, runtime="simulated") for item in spec.variants))
    assert plan(pairs(("v0", "v1"), spec=both), [device("x", runtime__simulated="1")], ()).benches


@pytest.mark.parametrize(("runs", "refused"), [(0, False), (1, True), (2, False)])
def test_one_process_has_one_ratio_and_no_answer(runs: int, refused: bool):
    spec = replace(pairs(("va", "vb")), measure=Measure(runs=runs))
    if not refused:
        assert plan(spec, [device("x")], ()).benches
        return
    with pytest.raises(BadInput, match="runs: 1 is one ratio") as caught:
        plan(spec, [device("x")], ())
    assert (caught.value.where, caught.value.expected) == ("measure.runs", "runs: auto, or at least 2")


def test_options_that_compare_must_be_told_of_are_told_at_planning():
    spec = job(variant("one"), variant("two", options={"inflight": "2"}))
    (note,) = plan(pairs(("one", "two"), spec=spec), [device("x")], ()).notes
    assert "they differ in inflight: INCOMPARABLE without `compare --across inflight`" in note


def test_a_variant_without_a_graph_fails_its_pair_alone():
    spec = pairs(("va", "vb"), ("va", "vc"), spec=job(A, B, replace(C, refusal="no graph")))
    made = plan(spec, [device("x")], ())
    assert [(item.name, item.refusal) for item in made.benches] == [("vb vs va", ""), ("vc vs va", "no graph")]
