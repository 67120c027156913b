"""Which boards and variants share an engine, and so a BUILD: by what makes it, and by nothing else."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.keys import device_class, engine_key
from controller.core.plan import build_for, plan
from controller.model.job import Lowering, Precision, Role, ShapeRange, TensorSpec
from controller.model.task import PlannedSubject
from testing.devices import device, orin
from testing.specs import any_of, job, tensorrt, variant, where

TENSORRT = tensorrt(Precision.FP16, "gpu")
DLA = tensorrt(Precision.INT8, "dla0")


@given(st.integers(1, 60))
def test_equal_boards_need_one_build(count):
    made = plan(job(), [device(f"box-{index}") for index in range(count)], [])
    assert len(made.builds) == 1
    assert [bench.device_id for bench in made.benches] == [f"box-{index}" for index in range(count)]
    assert {bench.subjects[0].engine_key for bench in made.benches} == {made.builds[0].engine_key}


def test_boards_of_two_classes_need_two_builds():
    made = plan(job(), [device("a"), device("b"), device("c", cpu_model="Ryzen")], [])
    assert len(made.builds) == 2
    keys = {bench.device_id: bench.subjects[0].engine_key for bench in made.benches}
    assert keys["a"] == keys["b"] != keys["c"]


def test_boards_of_which_something_is_unknown_build_for_themselves():
    made = plan(job(), [device("a", drop=("cpu_isa",)), device("b", drop=("cpu_isa",))], [])
    assert len(made.builds) == 2


def test_another_runtime_version_is_another_build():
    made = plan(job(), [device("a"), device("b", runtime__onnxruntime="1.24.0")], [])
    assert sorted(build.recipe.runtime_version for build in made.builds) == ["1.23.2", "1.24.0"]


def test_variants_that_differ_only_in_what_does_not_make_the_engine_share_a_build():
    checked = variant("again", check=dataclasses.replace(variant().check, rtol=0.5))
    made = plan(job(variant(), checked), [device()], [])
    assert len(made.builds) == 1
    assert [bench.variant_key for bench in made.benches] == [variant().key, "again"]


def test_a_build_is_the_variants_recipe_under_the_devices_facts():
    made = build_for(DLA, orin())
    assert made.recipe.runtime_version == "10.3.0"
    assert made.recipe.lowering is Lowering.BUILDER_FLAGS
    assert {item.role for item in made.recipe.artifacts} == {Role.MODEL_FP32, Role.CALIBRATION}
    assert made.device_class == device_class(orin(), runtime="tensorrt", placement="dla")
    assert made.engine_key == engine_key(made.recipe, made.device_class)


def test_an_engine_for_one_dla_core_serves_the_other():
    made = plan(job(tensorrt(Precision.FP16, "gpu+dla0+dla1")), [orin()], [])
    (bench,) = made.benches
    assert [item.placement for item in bench.subjects] == ["gpu", "dla0", "dla1"]
    keys = [item.engine_key for item in bench.subjects]
    assert keys[0] != keys[1] == keys[2]
    assert [(item.engine_key, item.recipe.placement) for item in made.builds] == [(keys[0], "gpu"), (keys[1], "dla")]
    assert [item.recipe.lowering for item in made.builds] == [Lowering.TYPED_GRAPH, Lowering.BUILDER_FLAGS]


def test_parts_of_one_kind_share_a_build():
    made = plan(job(variant("twice", placement="cpu+cpu")), [device()], [])
    assert len(made.builds) == 1
    assert [item.engine_key for item in made.benches[0].subjects] == 2 * [made.builds[0].engine_key]


def test_any_device_gets_a_subject_for_every_part():
    conditions = (where("arch", "aarch64"),)
    made = plan(job(tensorrt(Precision.FP16, "gpu+dla0"), targets=(any_of(*conditions),)), [orin()], [])
    assert made.benches[0].subjects == (PlannedSubject("gpu"), PlannedSubject("dla0"))
    assert made.builds == ()


def test_a_gpu_alone_and_a_gpu_beside_a_dla_share_an_engine():
    options = {"dla_require": "full", "dla_managed_sram_kib": "512", "builder_optimization_level": "5"}
    alone, beside = (tensorrt(Precision.FP16, where, options=options) for where in ("gpu", "gpu+dla0"))
    made = plan(job(alone, beside), [orin()], [])
    assert [item.recipe.placement for item in made.builds] == ["gpu", "dla"]
    assert made.builds[0].recipe.options == {"builder_optimization_level": "5"}
    assert made.builds[1].recipe.options == options


def test_batches_in_a_profile_share_an_engine():
    def at(batch):
        spec = TensorSpec("image", "float32", (batch, 3), ShapeRange((1, 3), (8, 3), (16, 3)))
        return tensorrt(Precision.FP16, "gpu", key=f"b{batch}", batch=batch, inputs=(spec,))

    made = plan(job(at(1), at(8)), [orin()], [])
    assert [item.recipe.inputs[0].shape for item in made.builds] == [(8, 3)]
    assert made.builds[0].recipe.inputs[0].range == ShapeRange((1, 3), (8, 3), (16, 3))


def test_a_profile_of_one_shape_is_that_shape():
    spec = TensorSpec("image", "float32", (2, 3), ShapeRange((2, 3), (2, 3), (2, 3)))
    static = tensorrt(Precision.FP16, "dla0", inputs=(TensorSpec("image", "float32", (2, 3)),))
    ranged = tensorrt(Precision.FP16, "dla0", inputs=(spec,))
    assert build_for(ranged, orin()) == build_for(static, orin())


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"cuda_graph": "on"}, True),
        ({"wait": "spin"}, True),
        ({"zero_copy": "on"}, True),
        ({"inflight": "2"}, True),
        ({"lowering": "typed"}, True),
        ({"lowering": "flags"}, False),
        ({"timing_cache": "cold"}, False),
        ({"workspace_mib": "256"}, False),
    ],
)
def test_what_only_a_run_heeds_is_no_part_of_an_engine(changed, same):
    plain, other = (build_for(tensorrt(Precision.FP16, "gpu", options=item), orin()) for item in ({}, changed))
    assert (plain.engine_key == other.engine_key) is same
    assert "lowering" not in other.recipe.options


def test_changed_facts_change_the_engine_that_a_device_needs():
    assert build_for(TENSORRT, orin()).engine_key == build_for(TENSORRT, orin("twin", power_mode="MAXN")).engine_key
    assert build_for(TENSORRT, orin()).engine_key != build_for(TENSORRT, orin(l4t="36.5.0")).engine_key
