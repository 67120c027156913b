"""A DLA on made-up boards: asked before the build, reported after it, refused with the reason where there is none."""

from typing import Any

import pytest

from agent.runtime.base import BuildRefused
from agent.runtime.tensorrt.dla import running_layers
from agent.runtime.tensorrt.log import BuilderLog
from agent.runtime.tensorrt.network import Draft
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_MODEL_FP16,
    ARTIFACT_ROLE_MODEL_QDQ_DLA,
    LOWERING_TYPED_GRAPH,
    PRECISION_FP16,
    PRECISION_FP32,
    PRECISION_INT8,
    ShapeRange,
    TensorSpec,
)
from tests.agent.tensorrt.fake import Board
from tests.agent.tensorrt.nets import NETS
from tests.agent.tensorrt.test_versions import MODEL, X

LAYERS = [("conv1", "CONVOLUTION", True), ("norm1", "NORMALIZATION", False), ("conv2", "CONVOLUTION", True)]
PLACED = [
    ("INFO", "---------- Layers Running on DLA ----------"),
    ("INFO", "[DlaLayer] {ForeignNode[conv1]}"),
    ("INFO", "[DlaLayer] {ForeignNode[conv2]}"),
    ("INFO", "---------- Layers Running on GPU ----------"),
    ("INFO", "[GpuLayer] NORMALIZATION: norm1"),
]


def orin(**options: Any) -> Board:
    return Board(**{"dla_cores": 2, "layers": LAYERS, "says": PLACED, **options})


def test_a_dla_gets_its_layers_and_says_which(make: Any) -> None:
    board = orin(layer_words={"norm1": "Layer 'norm1' is not supported on DLA: normalization has no DLA form"})
    told = make(board).build(MODEL, [X], precision=PRECISION_FP16, placement="dla", dla_managed_sram_kib="512").built
    assert (board.config.default_device_type.name, board.config.DLA_core) == ("DLA", 0)
    assert board.flags == {"FP16", "GPU_FALLBACK"}  # 10.3: a DLA wants the flag, not a typed graph
    assert board.creation_flags == 0
    assert board.pools == {"DLA_MANAGED_SRAM": 512 << 10}
    assert (told.dla.layers_on_dla, told.dla.layers_on_gpu, told.dla.subgraphs) == (2, 1, 2)
    (fallback,) = told.dla.fallbacks
    assert (fallback.layer, fallback.type) == ("norm1", "NORMALIZATION")
    assert "normalization has no DLA form" in fallback.reason


def test_a_network_of_any_batch_is_given_its_one_before_a_dla_is_asked(make: Any) -> None:
    board = orin(inputs=[("x", (-1, 3))])
    make(board).build(MODEL, [X], precision=PRECISION_FP16, placement="dla")
    assert board.network.get_input(0).shape == (2, 3)
    assert board.profiles == []  # nothing is left open
    board = orin(inputs=[("x", (-1, 3))])
    make(board).build(MODEL, [X])
    assert board.network.get_input(0).shape == (-1, 3)
    assert board.profiles[0].shapes == {"x": ((2, 3),) * 3}


def test_no_report_where_no_dla_was_asked_for(make: Any) -> None:
    assert not make(orin()).build(MODEL, [X]).built.HasField("dla")


def test_full_placement_is_refused_before_the_build_with_the_layers(make: Any) -> None:
    board = orin(says=[("INFO", "it was built")])
    with pytest.raises(BuildRefused) as refused:
        make(board).build(MODEL, [X], precision=PRECISION_FP16, placement="dla", dla_require="full")
    assert refused.value.message.startswith("1 of 3 layers do not run on the DLA: norm1 (NORMALIZATION): ")
    assert refused.value.where == "options.dla_require"
    assert board.runtimes == []


def test_full_placement_is_built_where_every_layer_fits(make: Any) -> None:
    board = orin(layers=[LAYERS[0]], says=PLACED[:2])
    told = make(board).build(MODEL, [X], precision=PRECISION_FP16, placement="dla", dla_require="full").built
    assert (told.dla.layers_on_dla, told.dla.layers_on_gpu) == (1, 0)


def test_what_the_builder_works_out_itself_is_in_no_count(make: Any) -> None:
    """Weights, their Q/DQ pairs and their shuffles; TensorRT is not even asked about them."""
    layers = [("w", "CONSTANT", False), ("q", "QUANTIZE", False), ("dq", "DEQUANTIZE", False)]
    layers += [("s", "SHUFFLE", False), ("conv1", "CONVOLUTION", True)]
    wires = {"w": ([], ["w:0"]), "q": (["w:0"], ["q:0"]), "dq": (["q:0"], ["dq:0"]), "s": (["dq:0"], ["s:0"])}
    board = orin(layers=layers, wires={**wires, "conv1": (["x", "s:0"], ["y"])}, says=PLACED[:2])
    board.layer_words = {name: f"Layer '{name}' (CONSTANT): Unsupported on DLA" for name in wires}
    told = make(board).build(MODEL, [X], precision=PRECISION_FP16, placement="dla", dla_require="full").built
    assert (told.dla.layers_on_dla, told.dla.layers_on_gpu, list(told.dla.fallbacks)) == (1, 0, [])
    assert not any("Unsupported" in text for text in told.warnings)


def test_the_casts_at_the_edges_of_11_4_1_may_run_on_the_gpu(make: Any) -> None:
    layers = [("to_half", "CAST", False), ("conv1", "CONVOLUTION", True), ("to_float", "CAST", False)]
    says = [*PLACED[:2], ("INFO", "[GpuLayer] CAST: to_half"), ("INFO", "[GpuLayer] CAST: to_float")]
    fp16 = {"role": ARTIFACT_ROLE_MODEL_FP16, "precision": PRECISION_FP16, "placement": "dla"}
    desk = make(orin(version=(11, 4, 1), layers=layers, says=says))
    told = desk.build(MODEL, [X], dla_require="full", **fp16).built
    assert (told.dla.layers_on_dla, told.dla.layers_on_gpu) == (1, 0)
    within = [("conv0", "CONVOLUTION", True), *layers, ("conv2", "CONVOLUTION", True)]
    with pytest.raises(BuildRefused, match=r"2 of 5 layers do not run on the DLA: to_half \(CAST\)"):
        make(orin(version=(11, 4, 1), layers=within, says=says)).build(MODEL, [X], dla_require="full", **fp16)


def test_full_placement_is_refused_for_what_only_the_finished_build_tells(make: Any) -> None:
    board = orin(layers=[*LAYERS[:1], ("reshape", "SHUFFLE", True), LAYERS[2]])
    board.says = [*PLACED[:3], ("INFO", "[GpuLayer] SHUFFLE: reshape")]
    with pytest.raises(BuildRefused, match=r"1 of 3 layers do not run on the DLA: reshape \(SHUFFLE\)"):
        make(board).build(MODEL, [X], precision=PRECISION_FP16, placement="dla", dla_require="full")


@pytest.mark.parametrize(("net", "running"), [("quantized", 10), ("resnet", 21)])
def test_a_real_network_runs_fewer_layers_than_it_has(net: str, running: int) -> None:
    """As tensorrt_rtx parses it: a quarter of a Q/DQ graph is what runs."""
    trt = pytest.importorskip("tensorrt_rtx")
    builder_log = BuilderLog()
    draft = Draft(trt, builder_log, typed=True)
    assert draft.parser.parse(NETS[net][0]().SerializeToString())
    layers = running_layers(draft.network, typed=True)
    assert (len(layers), draft.network.num_layers > len(layers)) == (running, True)
    assert not {layer.type.name for layer in layers} & {"CONSTANT"}
    draft.close()


def test_a_dla_came_back_with_11_4_1_strongly_typed(make: Any) -> None:
    board = orin(version=(11, 4, 1))
    make(board).build(MODEL, [X], role=ARTIFACT_ROLE_MODEL_FP16, precision=PRECISION_FP16, placement="dla")
    assert board.flags == {"GPU_FALLBACK"}
    assert "ADJUST_FOR_DLA" in board.parser_flags
    int8 = {"role": ARTIFACT_ROLE_MODEL_QDQ_DLA, "precision": PRECISION_INT8, "placement": "dla"}
    assert make(orin(version=(11, 4, 1))).build(MODEL, [X], **int8).files


def test_a_board_without_a_dla_is_bad_input(make: Any) -> None:
    with pytest.raises(BadInput, match="this board has no DLA") as refused:
        make(orin(dla_cores=0)).build(MODEL, [X], precision=PRECISION_FP16, placement="dla")
    assert "not Orin Nano, not Thor" in refused.value.expected


@pytest.mark.parametrize("version", [(10, 8, 0), (10, 13, 3), (10, 16, 2), (11, 0, 0), (11, 4, 0)])
def test_a_tensorrt_without_dla_is_bad_input(version: tuple[int, ...], make: Any) -> None:
    with pytest.raises(BadInput, match=r"TensorRT \S+ has no DLA") as refused:
        make(orin(version=version)).build(MODEL, [X], precision=PRECISION_FP16, placement="dla")
    assert refused.value.hint == "placement: gpu"
    assert "up to 10.7" in refused.value.expected


def test_fp32_on_a_dla_is_bad_input(make: Any) -> None:
    with pytest.raises(BadInput, match="a DLA does not compute in fp32") as refused:
        make(orin()).build(MODEL, [X], precision=PRECISION_FP32, placement="dla")
    assert refused.value.expected == "fp16, int8"


def test_a_range_on_a_dla_is_bad_input(make: Any) -> None:
    ranged = TensorSpec(name="x", dtype="float32", shape=[2, 3], range=ShapeRange(min=[1, 3], opt=[2, 3], max=[4, 3]))
    with pytest.raises(BadInput, match=r"a DLA takes one shape, and input 'x' has a range from \[1, 3\] to \[4, 3\]"):
        make(orin()).build(MODEL, [ranged], precision=PRECISION_FP16, placement="dla")


def test_a_typed_graph_on_a_dla_up_to_10_7_is_bad_input(make: Any) -> None:
    with pytest.raises(BadInput, match="only under the FP16 or the INT8 flag") as refused:
        make(orin()).build(MODEL, [X], precision=PRECISION_FP16, placement="dla", lowering=LOWERING_TYPED_GRAPH)
    assert refused.value.hint == "lowering: flags"
