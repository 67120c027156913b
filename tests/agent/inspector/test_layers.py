"""Layers of an engine, from constructed samples of the inspector's two forms (see README.md)."""

from pathlib import Path

import pytest

from agent.runtime.base import Kernel, LayerTime
from agent.runtime.tensorrt.layers import Layer, computed_in, dla_time_share, kernels, parse_layers
from agent.work.audit import describe_types, precision_flags
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import PRECISION_FP16, PRECISION_FP32, PRECISION_INT8

SAMPLES = Path(__file__).parent


def sample(name: str, *, dla: bool = False) -> list[Layer]:
    return parse_layers((SAMPLES / f"constructed-{name}.json").read_text(), dla=dla)


def test_the_8_and_10_form_gives_types_from_the_words_of_a_format() -> None:
    found = sample("8.6-detailed")
    assert [layer.type for layer in found] == [
        "Reformat",
        "CaskConvolution",
        "PointWiseV2",
        "CudnnConvolution",
        "CaskPooling",
        "CaskGemmMatrixMultiply",
        "Myelin",
    ]
    assert (found[0].inputs, found[0].outputs) == (("float32",), ("int8",))
    assert (found[5].inputs, found[5].outputs) == (("float16",), ("float32",))
    assert found[1].weights == "int8"
    assert not any(layer.on_dla for layer in found)


def test_the_11_form_gives_types_in_a_field_of_their_own() -> None:
    found = sample("11-detailed")
    assert [(layer.type, layer.inputs, layer.outputs) for layer in found] == [
        ("Reformat", ("float32",), ("float16",)),
        ("CaskConvolution", ("float16",), ("int8",)),
        ("CaskConvolution", ("int8",), ("int8",)),
        ("gemm", ("int8",), ("float32",)),
    ]


def test_a_layer_computes_in_the_type_of_its_product() -> None:
    assert kernels(sample("8.6-detailed")) == (
        Kernel("Reformat", "float32"),
        Kernel("CaskConvolution", "int8"),
        Kernel("PointWiseV2", "float16"),
        Kernel("CudnnConvolution", "float16"),
        Kernel("CaskPooling", "float16"),
        Kernel("CaskGemmMatrixMultiply", "float16"),  # though its output is float32
        Kernel("Myelin", ""),  # though its tensors are float32: they are its edges
    )
    assert [kernel.type for kernel in kernels(sample("11-detailed"))] == ["float32", "float16", "int8", "int8"]


def test_dynamic_shapes_leave_the_kernel_and_the_weights_to_tell() -> None:
    found = sample("8.6-dynamic")
    assert [layer.inputs for layer in found] == [("",), ("",)]
    assert kernels(found) == (Kernel("CaskConvolution", "float16"), Kernel("CudaDepthwiseConvolution", "float32"))


def test_myelins_own_kernels_are_compute_where_they_hold_a_product() -> None:
    assert [kernel.op for kernel in kernels(sample("10-detailed"))] == [
        "Reformat",
        "CaskConvolution",
        "kgen",
        "gemm",
        "kgen (gemm)",
        "correlation",
        "wait",
        "gemm",
    ]
    assert describe_types(kernels(sample("10-detailed"))) == (
        "5 of 5 compute nodes ran in float16 (2 gemm, 1 CaskConvolution, 1 kgen (gemm), 1 correlation)"
    )


@pytest.mark.parametrize(
    ("tactic", "type_"),
    [
        ("sm80_xmma_fprop_implicit_gemm_f32f32_tf32f32_f32_nhwckrsc", "float32"),
        ("sm80_xmma_fprop_implicit_gemm_interleaved_i8f32_i8i32_f32_nchw", "int8"),
        ("sm80_xmma_gemm_bf16bf16_bf16f32_f32_tn", "bfloat16"),
        ("sm89_xmma_gemm_e4m3bf16_e4m3f32_f32_tn_n", "float8"),
        ("ampere_h16816gemm_64x64", "float64"),
    ],
)
def test_a_kernels_name_outranks_its_tensors(tactic: str, type_: str) -> None:
    assert computed_in(Layer("l", "CaskConvolution", inputs=("float64",), tactic=tactic)) == type_


@pytest.mark.parametrize("name", ["10-names-only", "11-names-only"])
def test_names_alone_tell_nothing_and_flag_nothing(name: str) -> None:
    found = kernels(sample(name))
    assert set(found) == {Kernel("", "")}
    assert describe_types(found) == "unknown: the engine names its layers and nothing else"
    assert precision_flags(PRECISION_FP16, found) == precision_flags(PRECISION_INT8, found) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"Layers": [{"Name": "conv', "it is not JSON"),
        ("[1, 2]", "it holds no list of layers"),
        ('{"Layers": {"Name": "a"}}', "it holds no list of layers"),
        ('{"Layers": [3]}', "a layer is int"),
    ],
)
def test_what_is_not_the_inspectors_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        parse_layers(text)
    assert "profiling_verbosity detailed" in caught.value.hint


@pytest.mark.parametrize("text", ["", "\n", "{}", '{"Layers": [], "Bindings": ["x"]}'])
def test_an_engine_told_to_keep_silent_has_no_layers(text: str) -> None:
    assert parse_layers(text) == []
    assert kernels([]) == ()


def test_odd_fields_are_unknown_and_no_error() -> None:
    text = '{"Layers": [{"Name": "a", "LayerType": "Shuffle", "Inputs": "x", "Outputs": ["y"], "Weights": 3}]}'
    assert parse_layers(text) == [Layer("a", "Shuffle")]
    assert parse_layers('{"Layers": [{}]}') == [Layer("")]


def test_regions_are_the_dlas_where_one_was_configured() -> None:
    by_type = sample("10-dla")
    assert [layer.on_dla for layer in by_type] == [False, True, False, True, False]
    assert not any(layer.on_dla for layer in sample("11-dla"))  # a GPU's regions are named alike
    assert [layer.on_dla for layer in sample("11-dla", dla=True)] == [True, False]
    assert [layer.on_dla for layer in sample("8.6-detailed", dla=True)] == [False] * 7  # Myelin's is no DLA's
    assert [layer.on_dla for layer in sample("10-names-only", dla=True)] == [False, False, True]


def test_a_dla_region_computes_in_the_type_at_its_edges() -> None:
    assert [kernel for kernel in kernels(sample("10-dla")) if kernel.op == "DLA"] == [Kernel("DLA", "float16")] * 2
    assert kernels(sample("11-dla", dla=True))[0] == Kernel("DLA", "int8")
    assert computed_in(Layer("r", "DLA", inputs=("int8",), outputs=("float16",), on_dla=True)) == ""


def test_the_dlas_time_is_that_of_its_regions_and_of_waiting_for_them() -> None:
    layers = sample("10-dla")
    times = [
        LayerTime("x to nvm", 0.5),
        LayerTime("{ForeignNode[/conv1/Conv.../conv3/Conv]}", 0.5),
        LayerTime("c from nvm", 4.0),
        LayerTime("x copy finish", 0.5),
        LayerTime("{ForeignNode[/conv4/Conv]}", 0.5),
        LayerTime("/softmax/Softmax", 1.0),
        LayerTime("/fc/Gemm", 1.0),
    ]
    assert dla_time_share(layers, times) == pytest.approx(6 / 8)
    assert dla_time_share(layers, times[-2:]) == 0.0
    assert dla_time_share(layers, []) is None
    assert dla_time_share(sample("8.6-detailed"), times) is None


def test_a_mix_is_what_weak_typing_means_and_none_at_all_is_not() -> None:
    mixed = kernels(sample("8.6-detailed"))
    assert precision_flags(PRECISION_INT8, mixed) == precision_flags(PRECISION_FP16, mixed) == []
    (flag,) = precision_flags(PRECISION_INT8, kernels(sample("10-detailed")))
    assert flag.evidence == (
        "asked int8: 5 of 5 compute nodes ran in float16 (2 gemm, 1 CaskConvolution, 1 kgen (gemm), 1 correlation)"
    )
    assert precision_flags(PRECISION_FP32, mixed) == []


def test_layers_that_multiply_count_and_the_others_where_there_is_none() -> None:
    wide = [Kernel("Reformat", "float32"), Kernel("PointWiseV2", "float32"), Kernel("CaskSoftMaxV2", "float32")]
    (flag,) = precision_flags(PRECISION_FP16, wide)
    assert flag.evidence == "asked fp16: 3 of 3 nodes on floats ran in float32"
    assert precision_flags(PRECISION_FP16, [*wide, Kernel("PointWiseV2", "float16")]) == []
    assert precision_flags(PRECISION_FP16, [*wide, Kernel("CaskConvolution", "float16")]) == []
    assert len(precision_flags(PRECISION_FP16, [*wide, Kernel("CaskConvActPool", "float32")])) == 1


def test_regions_that_hide_their_inside_need_to_be_outnumbered() -> None:
    conv, region = Kernel("CaskConvolution", "float32"), Kernel("Myelin", "")
    assert precision_flags(PRECISION_FP16, [region]) == []
    assert precision_flags(PRECISION_FP16, [conv, region]) == []
    (flag,) = precision_flags(PRECISION_FP16, [conv, conv, region])
    assert flag.evidence == (
        "asked fp16: 2 of 3 compute nodes ran in float32, 1 of 3 compute nodes ran in an unknown type "
        "(2 CaskConvolution, 1 Myelin)"
    )


def test_a_dla_region_in_the_other_type_is_not_what_was_asked() -> None:
    assert precision_flags(PRECISION_INT8, kernels(sample("11-dla", dla=True))) == []
    (flag,) = precision_flags(PRECISION_INT8, kernels(sample("10-dla")))
    assert flag.evidence == "asked int8: 3 of 3 compute nodes ran in float16 (2 DLA, 1 CaskGemmMatrixMultiply)"
