"""Where a network's layers went that asked for a DLA, and why some did not (see README.md for the samples)."""

from pathlib import Path

from agent.runtime.tensorrt.dla_log import read_log
from agent.runtime.tensorrt.layers import dla_report, parse_layers

SAMPLES = Path(__file__).parent
LOG = (SAMPLES / "constructed-dla.log").read_text().splitlines()
NETWORK = [
    ("/conv1/Conv", "CONVOLUTION", True),
    ("/conv2/Conv", "CONVOLUTION", True),
    ("/conv3/Conv", "CONVOLUTION", True),
    ("/pool/GlobalAveragePool", "POOLING", False),
    ("/concat/Concat", "CONCATENATION", False),
    ("(Unnamed Layer* 7) [Constant]", "CONSTANT", False),
    ("/gather/Gather", "GATHER", False),
    ("/attn/Reshape", "SHUFFLE", True),
    ("/softmax/Softmax", "SOFTMAX", False),
    ("/late/Conv", "CONVOLUTION", True),
    ("/conv4/Conv", "CONVOLUTION", True),
]
NO_REASON = "TensorRT gives no reason; by its documented rules "


def engine(name: str) -> str:
    return (SAMPLES / f"constructed-{name}.json").read_text()


def test_each_layer_off_the_dla_has_its_reason() -> None:
    report = dla_report(NETWORK, parse_layers(engine("10-dla")), LOG)
    assert (report.layers_on_dla, report.layers_on_gpu, report.subgraphs) == (4, 7, 2)
    assert {item.layer: (item.type, item.reason) for item in report.fallbacks} == {
        "/pool/GlobalAveragePool": ("POOLING", "DLA only supports windows in the range of [1-8]."),
        "/concat/Concat": ("CONCATENATION", "DLA only supports concatenation on the C dimension."),
        "(Unnamed Layer* 7) [Constant]": ("CONSTANT", NO_REASON + "a DLA has no CONSTANT layer"),
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
    network = [("conv1", "CONVOLUTION", True), ("conv10", "CONVOLUTION", True), ("relu1", "ACTIVATION", True)]
    report = dla_report(network, [], ["[DlaLayer] {ForeignNode[conv10]}", "[GpuLayer] CONVOLUTION: conv1 + relu1"])
    assert [item.layer for item in report.fallbacks] == ["conv1", "relu1"]
    assert report.layers_on_dla == 1
    assert report.fallbacks[0].reason.startswith(NO_REASON + "a DLA takes of CONVOLUTION: 2-D, kernel 1-32")


def test_everything_on_the_dla_leaves_nothing_to_explain() -> None:
    report = dla_report([("c", "CONVOLUTION", True)], [], ["[DlaLayer] {ForeignNode[c]}"])
    assert (report.layers_on_dla, report.layers_on_gpu, report.subgraphs, list(report.fallbacks)) == (1, 0, 1, [])
    assert dla_report([], [], []).layers_on_dla == 0


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
