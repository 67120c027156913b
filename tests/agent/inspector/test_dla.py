"""Where a network's layers went that asked for a DLA, and why some did not (see README.md for the samples)."""

from pathlib import Path

from agent.runtime.tensorrt.dla_log import read_log
from agent.runtime.tensorrt.dla_placement import NetworkLayer, dla_report, way_out
from agent.runtime.tensorrt.layers import Layer, parse_layers

SAMPLES = Path(__file__).parent
LOG = (SAMPLES / "constructed-dla.log").read_text().splitlines()
NETWORK = [
    NetworkLayer("/conv1/Conv", "CONVOLUTION", True),
    NetworkLayer("/conv2/Conv", "CONVOLUTION", True),
    NetworkLayer("/conv3/Conv", "CONVOLUTION", True),
    NetworkLayer("/pool/GlobalAveragePool", "POOLING", False),
    NetworkLayer("/concat/Concat", "CONCATENATION", False),
    NetworkLayer("/gather/Gather", "GATHER", False),
    NetworkLayer("/attn/Reshape", "SHUFFLE", True),
    NetworkLayer("/softmax/Softmax", "SOFTMAX", False),
    NetworkLayer("/late/Conv", "CONVOLUTION", True),
    NetworkLayer("/conv4/Conv", "CONVOLUTION", True),
]
NO_REASON = "TensorRT gives no reason; by its documented rules "


def conv(name: str) -> NetworkLayer:
    return NetworkLayer(name, "CONVOLUTION", True)


def engine(name: str) -> str:
    return (SAMPLES / f"constructed-{name}.json").read_text()


def test_each_layer_off_the_dla_has_its_reason() -> None:
    report = dla_report(NETWORK, parse_layers(engine("10-dla")), LOG)
    assert (report.layers_on_dla, report.layers_on_gpu, report.subgraphs) == (4, 6, 2)
    assert {item.layer: (item.type, item.reason) for item in report.fallbacks} == {
        "/pool/GlobalAveragePool": ("POOLING", "DLA only supports windows in the range of [1-8]."),
        "/concat/Concat": ("CONCATENATION", "DLA only supports concatenation on the C dimension."),
        "/gather/Gather": ("GATHER", NO_REASON + "a DLA has no GATHER layer"),
        "/attn/Reshape": (
            "SHUFFLE",
            "This version of DLA does not support reshape layers directly connected to Slice or Concat",
        ),
        "/softmax/Softmax": (
            "SOFTMAX",
            NO_REASON + "a DLA takes of SOFTMAX: on Orin only, an axis of at most 1024, "
            "or of 8192 where all others but the batch are 1",
        ),
        "/late/Conv": ("CONVOLUTION", "DLA supports only 16 subgraphs per DLA core"),
    }


def test_trtexecs_prefixes_and_whole_messages_are_read_alike() -> None:
    prefixed = [f"[12/04/2024-11:57:45] [W] [TRT] {line}" for line in LOG]
    bare = dla_report(NETWORK, [], LOG)
    assert dla_report(NETWORK, [], prefixed) == bare
    assert dla_report(NETWORK, [], ["\n".join(LOG)]) == bare


def test_without_a_list_in_the_log_the_engine_counts_the_regions() -> None:
    layers = parse_layers(engine("11-dla"), dla=True)
    assert dla_report(NETWORK, layers, []).subgraphs == 1
    assert dla_report(NETWORK, parse_layers(engine("8.6-detailed"), dla=True), []).subgraphs == 0
    assert dla_report(NETWORK, layers, ["[GpuLayer] CONVOLUTION: /conv1/Conv"]).subgraphs == 0


def test_a_layer_listed_on_the_gpu_fell_back_though_it_could_have_run() -> None:
    network = [conv("conv1"), conv("conv10"), NetworkLayer("relu1", "ACTIVATION", True)]
    report = dla_report(network, [], ["[DlaLayer] {ForeignNode[conv10]}", "[GpuLayer] CONVOLUTION: conv1 + relu1"])
    assert [item.layer for item in report.fallbacks] == ["conv1", "relu1"]
    assert report.layers_on_dla == 1
    assert report.fallbacks[0].reason.startswith(NO_REASON + "a DLA takes of CONVOLUTION: 2-D, kernel 1-32")


def test_everything_on_the_dla_leaves_nothing_to_explain() -> None:
    report = dla_report([conv("c")], [], ["[DlaLayer] {ForeignNode[c]}"])
    assert (report.layers_on_dla, report.layers_on_gpu, report.subgraphs, list(report.fallbacks)) == (1, 0, 1, [])
    assert dla_report([], [], []).layers_on_dla == 0


def test_what_the_builder_folds_is_judged_by_what_was_built() -> None:
    """Before the build TensorRT says of an activation's Q/DQ pair that no DLA takes it; then it is within a region."""
    pair = [NetworkLayer("q", "QUANTIZE", False), NetworkLayer("dq", "DEQUANTIZE", False)]
    network = [conv("first"), *pair, conv("last"), NetworkLayer("norm", "NORMALIZATION", False)]
    placed = ["[DlaLayer] {ForeignNode[first...last]}", "[GpuLayer] NORMALIZATION: norm"]
    assert [item.layer for item in dla_report(network, [], placed).fallbacks] == ["norm"]
    cut = ["[DlaLayer] {ForeignNode[first]}", "[GpuLayer] QUANTIZE: q + dq", "[DlaLayer] {ForeignNode[last]}"]
    assert [item.layer for item in dla_report(network, [], cut).fallbacks] == ["q", "dq", "norm"]
    region = ["[DlaLayer] {ForeignNode[first]}", "[GpuLayer] {ForeignNode[q...norm]}"]
    assert [item.layer for item in dla_report(network, [], region).fallbacks] == ["q", "dq", "norm"]
    assert dla_report(network, [], []).layers_on_gpu == 3  # nothing tells more than TensorRT's first answer


def test_without_a_list_in_the_log_the_engine_tells_what_runs_on_the_gpu() -> None:
    network = [conv("first"), NetworkLayer("reshape", "SHUFFLE", False), conv("second")]
    made = [
        Layer("Reformatting CopyNode for Input Tensor 0 to first", "Reformat"),
        Layer("{ForeignNode[first...reshape]}", "DLA", on_dla=True),
        Layer("second", "CaskConvolution"),
    ]
    assert [item.layer for item in dla_report(network, made, []).fallbacks] == ["second"]


def test_a_product_that_no_dla_takes_has_a_way_out() -> None:
    network = [conv("c"), NetworkLayer("fc", "MATRIX_MULTIPLY", False)]
    assert way_out(dla_report(network, [], []).fallbacks) == (
        "dla_require: partial, or replace Gemm by a 1x1 convolution"
    )
    assert way_out([]) == "dla_require: partial, or change these layers"


def test_the_wordings_of_all_versions_name_layer_and_reason() -> None:
    said = read_log(
        [
            "Default DLA is enabled but layer a is not supported on DLA, falling back to GPU.",
            "Default DLA is enabled but layer b b is not running on DLA, falling back to GPU.",
            "DLA Layer c does not support dynamic shapes in any dimension.",
            "Default DLA is enabled but layer c is not supported on DLA, falling back to GPU.",
            "DLA only supports FP16 and Int8 precision type. Switching (Unnamed Layer* 2) [Gather] device type to GPU.",
            "DLA LAYER: Batch size (combined volume) 128 for layer e exceeds max batch size allowed of 32.",
            "f: DLA cores do not support POW ElementWise operation.",
            "g is not supported on DLA: kernel size",
            "Layer h (SLICE) cannot run on DLA",
            "Validation failed for DLA layer: i. Switching to GPU fallback.",
            "i::j: something else that is no concern of ours",
            "Unused Input: k",
        ]
    ).switched
    assert said == {
        "a": "",
        "b b": "",
        "c": "does not support dynamic shapes in any dimension.",
        "(Unnamed Layer* 2) [Gather]": "DLA only supports FP16 and Int8 precision type",
        "e": "Batch size (combined volume) 128 for layer e exceeds max batch size allowed of 32.",
        "f": "DLA cores do not support POW ElementWise operation.",
        "g": "kernel size",
        "h": "",
        "i": "",
    }
