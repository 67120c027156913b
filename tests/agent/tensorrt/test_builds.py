"""Real engines of nine kinds of network, built by TensorRT for RTX on a machine that may have no GPU."""

import json
from pathlib import Path

import onnx
import pytest
from onnxconverter_common.float16 import convert_float_to_float16

from agent.runtime.tensorrt.ability import ability
from agent.runtime.tensorrt.log import BuilderLog
from agent.runtime.tensorrt.network import Draft, add_profile, fix_shapes, parse
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_LAYERS,
    ARTIFACT_ROLE_MODEL_FP16,
    ARTIFACT_ROLE_MODEL_QDQ,
    LOWERING_TYPED_GRAPH,
    PRECISION_FP16,
    PRECISION_INT8,
    PRECISION_TF32,
    ShapeRange,
)
from tests.agent.tensorrt.conftest import Desk
from tests.agent.tensorrt.nets import NETS, RANGED, TensorSpec, dynamic, quantized, resnet

OCR = Path(__file__).parents[3] / ".models"


@pytest.mark.parametrize("name", NETS)
def test_a_network_becomes_an_engine_and_its_phases_are_told(name: str, desk: Desk) -> None:
    make, spec = NETS[name]
    made = desk.build(make().SerializeToString(), [spec])
    assert desk.out.stat().st_size > 10_000
    assert desk.out.read_bytes() != b"\0" * desk.out.stat().st_size
    assert {"Building engine", "Preparing graph for optimization", "Optimizing graph"} <= set(desk.phases)
    assert made.built.device_memory_bytes > 0 or name in ("text", "lstm", "gru")


def test_the_fraction_never_falls_and_ends_near_the_whole(desk: Desk) -> None:
    desk.build(resnet().SerializeToString())
    fractions = [fraction for phase, fraction, _ in desk.told if phase == "build" and fraction is not None]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0.0
    assert 0.8 <= fractions[-1] <= 1.0
    assert len(fractions) <= 200  # a pipe is not flooded, however many steps a builder has


def test_a_typed_graph_of_half_floats_is_built_as_fp16(desk: Desk) -> None:
    half = convert_float_to_float16(resnet(), keep_io_types=True)
    desk.build(
        half.SerializeToString(),
        role=ARTIFACT_ROLE_MODEL_FP16,
        precision=PRECISION_FP16,
        lowering=LOWERING_TYPED_GRAPH,
    )
    assert desk.out.stat().st_size > 10_000


def test_a_qdq_graph_is_built_as_int8(desk: Desk) -> None:
    desk.build(quantized().SerializeToString(), role=ARTIFACT_ROLE_MODEL_QDQ, precision=PRECISION_INT8)
    assert desk.out.stat().st_size > 10_000


def test_options_reach_the_builder(desk: Desk) -> None:
    made = desk.build(
        resnet().SerializeToString(),
        precision=PRECISION_TF32,
        builder_optimization_level="2",
        workspace_mib="64",
        avg_timing_iterations="2",
        max_aux_streams="0",
        profiling_verbosity="layer_names_only",
    )
    assert desk.out.stat().st_size > 10_000
    assert not made.built.HasField("timing_cache")  # this TensorRT has none


def test_a_shape_without_a_range_is_the_only_one(desk: Desk) -> None:
    desk.build(dynamic().SerializeToString(), [TensorSpec(name="x", dtype="float32", shape=[2, 3, 24, 24])])
    assert desk.out.stat().st_size > 10_000


def test_unknown_dimensions_of_one_name_may_differ(desk: Desk) -> None:
    """Some exporters call each of them `?`; to TensorRT that would make every image a square."""
    model = dynamic()
    for index in (0, 2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[index].dim_param = "?"
    wide = TensorSpec(name="x", dtype="float32", shape=[2, 3, 16, 64])
    wide.range.CopyFrom(ShapeRange(min=[1, 3, 16, 32], opt=[2, 3, 16, 64], max=[4, 3, 16, 128]))
    desk.build(model.SerializeToString(), [wide])
    assert desk.out.stat().st_size > 10_000


def test_a_second_build_in_the_same_process_works(desk: Desk) -> None:
    desk.build(dynamic().SerializeToString(), [RANGED])
    first = desk.out.stat().st_size
    desk.build(dynamic().SerializeToString(), [RANGED])
    assert desk.out.stat().st_size == pytest.approx(first, rel=0.1)


def test_an_engine_is_inspected_or_it_is_said_why_not(desk: Desk) -> None:
    made = desk.build(resnet().SerializeToString())
    layers = [file for file in made.files if file.role == ARTIFACT_ROLE_LAYERS]
    if layers:
        assert json.loads(layers[0].path.read_text())["Layers"]
    else:
        assert any("not inspected" in warning for warning in made.built.warnings)


def test_external_weights_are_found_beside_the_graph(desk: Desk) -> None:
    path = desk.folder / "big.onnx"
    onnx.save_model(resnet(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (desk.folder / "weights.bin").rename(desk.model_dir / "weights.bin")
    desk.build(path.read_bytes())
    assert desk.out.stat().st_size > 10_000


@pytest.mark.models
@pytest.mark.parametrize(
    ("name", "least", "opt", "most"),
    [
        ("ocr-detection", [1, 3, 64, 64], [1, 3, 320, 320], [1, 3, 640, 640]),
        ("ocr-direction", [1, 3, 48, 192], [1, 3, 48, 192], [4, 3, 48, 192]),
        ("ocr-recognition", [1, 3, 48, 160], [1, 3, 48, 320], [2, 3, 48, 640]),
    ],
)
@pytest.mark.timeout(600)
def test_a_real_model_becomes_an_engine(
    name: str, least: list[int], opt: list[int], most: list[int], desk: Desk
) -> None:
    spec = TensorSpec(name="x", dtype="float32", shape=opt)
    spec.range.min.extend(least)
    spec.range.opt.extend(opt)
    spec.range.max.extend(most)
    desk.build((OCR / f"{name}.onnx").read_bytes(), [spec])
    assert desk.out.stat().st_size > 100_000
    assert "Optimizing graph" in desk.phases


def test_an_input_of_any_shape_is_given_one_and_all_follows(tmp_path: Path) -> None:
    """As for a DLA, which has no builder here: on the real network, whose layers are then asked about."""
    trt, words = pytest.importorskip("tensorrt_rtx"), BuilderLog()
    model = tmp_path / "model.onnx"
    model.write_bytes(dynamic().SerializeToString())
    draft = Draft(trt, words, typed=True)
    parse(trt, draft, model, words, ability(trt, workstation=True), adjust_for_dla=False)
    assert -1 in draft.network.get_output(0).shape
    fix_shapes(draft.network, [RANGED])
    assert tuple(draft.network.get_input(0).shape) == tuple(RANGED.range.opt)
    assert -1 not in draft.network.get_output(0).shape
    assert add_profile(draft.builder, draft.builder.create_builder_config(), draft.network, [RANGED]) is None
    draft.close()
