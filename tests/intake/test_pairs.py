"""Which variants are held against each other: of two jobs, or two of one."""

from dataclasses import replace
from pathlib import Path

import pytest

from controller.intake.pairs import pair_jobs, pair_variants
from controller.intake.prepare import PreparedJob
from controller.model.interleaved import Pair
from controller.model.job import JobSpec, Limits, Measure, Mode
from jetfleet.errors import BadInput
from testing.specs import ANY, EVERY, batch_variant, job, spec, variant


def prepared(made: JobSpec) -> PreparedJob:
    return PreparedJob(made, {item.sha256: Path(item.name) for each in made.variants for item in each.artifacts})


def test_two_jobs_become_one_with_a_pair():
    base = replace(spec(1), name="old", model_name="net", labels={"commit": "a"}, limits=Limits(deadline_s=9))
    candidate = replace(spec(1, model="b" * 64), name="new", model_name="net", labels={"commit": "b"})
    found = pair_jobs(prepared(base), prepared(candidate))
    key = "onnxruntime-fp32-b1-cpu"
    assert [item.key for item in found.spec.variants] == [f"{key}@base", f"{key}@candidate"]
    assert found.spec.pairs == (Pair(f"{key}@base", f"{key}@candidate"),)
    assert (found.spec.name, found.spec.model_name) == ("new vs old", "net")
    assert (found.spec.labels, found.spec.limits.deadline_s) == ({"commit": "b"}, None)
    assert {"a" * 64, "b" * 64} <= found.files.keys()


def test_the_one_variant_of_each_is_a_pair_whatever_it_is_called():
    found = pair_jobs(prepared(job(variant("x"), targets=(EVERY,))), prepared(spec(1)))
    assert found.spec.pairs == (Pair("x@base", "onnxruntime-fp32-b1-cpu@candidate"),)


def test_several_variants_are_matched_by_their_keys():
    found = pair_jobs(prepared(spec(1, 2)), prepared(spec(2, 1)))
    assert [(pair.base[-8:], pair.candidate[-13:]) for pair in found.spec.pairs] == [
        ("cpu@base", "cpu@candidate"),
        ("cpu@base", "cpu@candidate"),
    ]
    assert all(pair.base.split("@")[0] == pair.candidate.split("@")[0] for pair in found.spec.pairs)


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        (replace(spec(1), targets=(ANY,)), "`targets`"),
        (replace(spec(1), measure=Measure(min_s=3.0)), "`measure`"),
        (spec(1, 2), "only one of the two jobs has the variant onnxruntime-fp32-b2-cpu"),
    ],
)
def test_jobs_that_cannot_share_their_processes_are_refused(candidate: JobSpec, words: str):
    with pytest.raises(BadInput, match=words):
        pair_jobs(prepared(spec(1)), prepared(candidate))


def test_two_variants_of_a_job_leave_the_others_and_their_files_out():
    made = replace(spec(), variants=tuple(batch_variant(n, model=f"{5 + n}" * 64) for n in (1, 2, 3)))
    found = pair_variants(prepared(made), "onnxruntime-fp32-b3-cpu", "onnxruntime-fp32-b1-cpu")
    assert found.spec.pairs == (Pair("onnxruntime-fp32-b3-cpu", "onnxruntime-fp32-b1-cpu"),)
    assert [item.batch for item in found.spec.variants] == [1, 3]
    assert "7" * 64 not in found.files


def test_a_pattern_names_several_and_each_two_meet_once():
    made = prepared(spec(1, 2, 3))
    against_one = pair_variants(made, "*-b1-*", "*").spec.pairs
    assert [pair.candidate for pair in against_one] == ["onnxruntime-fp32-b2-cpu", "onnxruntime-fp32-b3-cpu"]
    assert len(pair_variants(made, "*", "*").spec.pairs) == 3


@pytest.mark.parametrize(("base", "words"), [("nothing", "no variant"), ("onnxruntime-fp32-b1-cpu", "same variant")])
def test_what_is_no_pair_is_refused(base: str, words: str):
    with pytest.raises(BadInput, match=words):
        pair_variants(prepared(spec(1)), base, "*-b1-*")


@pytest.mark.parametrize("mode", [Mode.THROUGHPUT, Mode.PACED])
def test_in_turns_is_a_matter_of_latency(mode: Mode):
    made = prepared(replace(spec(1, 2), measure=Measure(mode=mode)))
    for pair in (lambda: pair_jobs(made, made), lambda: pair_variants(made, "*-b1-*", "*-b2-*")):
        with pytest.raises(BadInput, match=f"one inference in flight, and the mode is {mode.value}"):
            pair()
