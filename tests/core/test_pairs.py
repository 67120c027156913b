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
    with pytest.raises(BadInput, match="throughput has no turns"):
        plan(spec, [device("x")], ())


def test_a_variant_without_a_graph_fails_its_pair_alone():
    spec = pairs(("va", "vb"), ("va", "vc"), spec=job(A, B, replace(C, refusal="no graph")))
    made = plan(spec, [device("x")], ())
    assert [(item.name, item.refusal) for item in made.benches] == [("vb vs va", ""), ("vc vs va", "no graph")]
