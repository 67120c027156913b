"""What each TensorRT can do, and what a job that asks for more is told."""

import pytest

from controller.core.ability import inability
from controller.core.tensorrt import lowering
from controller.model.job import Lowering, Precision, Role, ShapeRange, TensorSpec
from jetfleet.modules import MODULES
from testing.devices import device, orin
from testing.specs import tensorrt, variant

FP32, TF32, FP16, INT8 = Precision
TYPED, FLAGS = Lowering
AGX = {"module": "p3701-0005", "sku": "agx-orin-64gb", "l4t": "39.2.2"}
HISTORY = "10.7 was the last; 11.4.1 on AGX Orin brings it back"


def board(version, /, **facts):
    return orin(runtime__tensorrt=version, **facts)


def told(on, precision=FP16, placement="gpu", **changes):
    asked = tensorrt(precision, placement, **changes)
    return inability(asked.runtime, placement, on.facts, asked)


@pytest.mark.parametrize(
    ("version", "placement", "asked", "way"),
    [
        ("8.6.2.3", "gpu", "", FLAGS),
        ("8.6.2.3", "dla0", "", FLAGS),
        ("10.3.0.30", "gpu", "", TYPED),
        ("10.3.0.30", "gpu", "typed", TYPED),
        ("10.3.0.30", "gpu", "flags", FLAGS),
        ("10.3.0.30", "dla0", "", FLAGS),
        ("10.7.0", "dla", "", FLAGS),
        ("10.16.2.10", "gpu", "", TYPED),
        ("10.16.2.10", "gpu", "flags", FLAGS),
        ("11.4.1", "gpu", "", TYPED),
        ("11.4.1", "dla1", "", TYPED),
        ("11.4.1", "gpu", "flags", TYPED),  # refused before
        ("unreadable", "gpu", "", TYPED),  # refused before
    ],
)
@pytest.mark.parametrize("precision", Precision)
def test_the_way_to_a_precision(version, placement, asked, way, precision):
    options = {"lowering": asked} if asked else {}
    assert lowering(board(version).facts, tensorrt(precision, placement, options=options), placement) is way


def test_the_workstation_sibling_takes_typed_graphs():
    facts = device(runtime__tensorrt_rtx="1.7.1.116").facts
    assert lowering(facts, tensorrt(FP16, runtime="tensorrt_rtx", options={"lowering": "flags"}), "gpu") is TYPED


@pytest.mark.parametrize(
    ("version", "precision", "placement"),
    [
        *(("8.6.2", precision, "gpu") for precision in Precision),
        *(("10.3.0", precision, "gpu") for precision in Precision),
        *(("10.13.3.9", precision, "gpu") for precision in Precision),
        *(("11.4.1", precision, "gpu") for precision in Precision),
        *((version, precision, "gpu+dla0+dla1") for version in ("8.6.2", "10.7.0") for precision in (FP16, INT8)),
    ],
)
def test_what_works(version, precision, placement):
    assert told(board(version), precision, placement) == ""


@pytest.mark.parametrize("version", ["8.5.2", "9.3.0", "unreadable", ""])
def test_versions_without_support(version):
    assert told(board(version)) == f"TensorRT {version} is not supported: 8.6, 10 and 11 are"


@pytest.mark.parametrize("fact", [{"jetpack": "5.1.2"}, {"jetpack": "", "l4t": "35.4.1"}])
def test_jetpack_5(fact):
    bare = orin(drop=("runtime.tensorrt",), **fact)
    start = "JetPack 5 is not supported: its TensorRT needs Python 3.8; "
    assert told(bare) == start + "Orin boards can upgrade to JetPack 6"
    xavier = orin(drop=("runtime.tensorrt",), module="p3668-0001", **fact)
    assert told(xavier) == start + "it is the last one for Xavier boards"


def test_a_jetpack_with_a_future_that_lacks_tensorrt():
    assert told(orin(drop=("runtime.tensorrt",))) == "it has no tensorrt (it has no runtime)"


@pytest.mark.parametrize("module", ["p3767-0003", "p3767-0004", "p3767-0005"])
def test_orin_nano_has_no_dla(module):
    assert (
        told(board("10.3.0", module=module), placement="dla0")
        == f"{MODULES[module].product} has no DLA: place it on gpu"
    )


@pytest.mark.parametrize("module", ["p3834-0008", "p3834-0000"])
def test_thor_has_no_dla(module):
    assert (
        told(board("11.4.1", module=module), placement="gpu+dla0")
        == f"{MODULES[module].product} has no DLA: place it on gpu"
    )


@pytest.mark.parametrize("version", ["10.8.0", "10.11.0.33+jp6", "10.16.2.10", "11.0.0", "11.4.0.106"])
def test_versions_without_dla(version):
    reason = f"TensorRT {version} has no DLA ({HISTORY}): place it on gpu"
    assert told(board(version, **AGX), placement="dla0") == reason
    assert told(board(version, **AGX)) == ""


def test_dla_came_back_on_agx_orin_only():
    assert told(board("11.4.1", **AGX), placement="gpu+dla0+dla1") == ""
    assert told(board("11.4.1", **AGX), INT8, "dla0") == ""
    assert told(board("11.4.1"), placement="dla0") == "TensorRT 11.4.1 drives the DLA of AGX Orin only: place it on gpu"
    assert told(board("11.5", drop=("module", "l4t")), placement="dla0") == ""  # who knows


@pytest.mark.parametrize("l4t", ["39.2.0", "39.2.1", "36.5.2"])
def test_dla_came_back_with_jetpack_7_2_2(l4t):
    older = board("11.4.1", **{**AGX, "l4t": l4t})
    reason = f"TensorRT 11.4.1 drives a DLA from JetPack 7.2.2 (L4T 39.2.2) on, and this is L4T {l4t}: place it on gpu"
    assert told(older, placement="dla0") == reason
    assert told(older) == ""


@pytest.mark.parametrize(
    ("facts", "placement", "reason"),
    [
        ({"dla_cores": 0}, "dla0", "it has no DLA: place it on gpu"),
        ({"drop": ("dla_cores",)}, "gpu+dla0", "it has no DLA: place it on gpu"),
        ({"dla_cores": 1}, "gpu+dla0+dla1", "it has no dla1: its 1 DLA core is dla0"),
        ({"dla_cores": 2}, "dla2", "it has no dla2: its 2 DLA cores are dla0 and dla1"),
        ({"dla_cores": 1}, "dla0", ""),
        ({"dla_cores": 1}, "dla", ""),  # a BUILD, for whichever core
    ],
)
def test_dla_cores(facts, placement, reason):
    assert told(board("10.3.0", **facts), placement=placement) == reason


@pytest.mark.parametrize("precision", [FP32, TF32])
def test_a_dla_runs_no_fp32(precision):
    assert told(board("10.3.0"), precision, "gpu+dla0") == f"a DLA runs fp16 and int8, not {precision.value}"


@pytest.mark.parametrize(
    ("capability", "precision", "reason"),
    [
        ("7.2", TF32, "its GPU has no tf32: that needs compute capability 8.0, and it has 7.2"),
        ("7.2", FP16, ""),
        ("7.2", INT8, ""),
        ("5.2", FP16, "its GPU has no fp16: that needs compute capability 5.3, and it has 5.2"),
        ("6.0", INT8, "its GPU has no int8: that needs compute capability 6.1, and it has 6.0"),
        ("8.7", TF32, ""),
        ("11.0", TF32, ""),
        ("12.1", INT8, ""),
        ("5.2", FP32, ""),
        ("odd", TF32, ""),
    ],
)
def test_precisions_by_compute_capability(capability, precision, reason):
    assert told(board("10.3.0", compute_capability=capability), precision) == reason


def test_an_unknown_compute_capability_refuses_nothing():
    assert told(board("10.3.0", drop=("compute_capability",)), TF32) == ""


def profiled(low, high):
    return (TensorSpec("mask", "int64", (1,)), TensorSpec("image", "float32", (1, 3), ShapeRange(low, low, high)))


def test_a_dla_takes_static_shapes():
    reason = "a DLA takes static shapes only, and image has a range: take the profile away"
    assert told(board("10.3.0"), placement="gpu+dla0", inputs=profiled((1, 3), (8, 3))) == reason
    assert told(board("10.3.0"), placement="gpu+dla0", inputs=profiled((1, 3), (1, 3))) == ""
    assert told(board("10.3.0"), inputs=profiled((1, 3), (8, 3))) == ""


@pytest.mark.parametrize(
    ("version", "placement", "asked", "reason"),
    [
        ("11.4.0", "gpu", "flags", "TensorRT 11.4.0 has no builder flags: leave lowering out (typed graph)"),
        ("8.6.2", "gpu", "typed", "TensorRT 8.6.2 has no strongly typed networks: leave lowering out (builder flags)"),
        (
            "10.3.0",
            "gpu+dla0",
            "typed",
            "TensorRT 10.3.0 places nothing on a DLA without builder flags: leave lowering out",
        ),
        ("10.3.0", "gpu", "typed", ""),
        ("10.3.0", "gpu+dla0", "flags", ""),
        ("8.6.2", "gpu+dla0", "flags", ""),
        ("11.4.0", "gpu", "typed", ""),
    ],
)
def test_a_way_that_a_version_does_not_have(version, placement, asked, reason):
    assert told(board(version), placement=placement, options={"lowering": asked}) == reason


@pytest.mark.parametrize(
    ("version", "precision", "placement", "without", "reason"),
    [
        (
            "11.4.0",
            INT8,
            "gpu",
            {Role.MODEL_QDQ, Role.CALIBRATION},
            "int8 on TensorRT 11.4.0 needs a Q/DQ graph, and this variant brings none: give model.data.calibration",
        ),
        ("11.4.0", INT8, "gpu", {Role.CALIBRATION, Role.MODEL_FP32}, ""),
        (
            "10.3.0",
            FP16,
            "gpu",
            {Role.MODEL_FP16},
            "fp16 on TensorRT 10.3.0 needs an FP16 graph, and this variant brings none",
        ),
        ("8.6.2", FP16, "gpu", {Role.MODEL_FP16}, ""),
        ("10.3.0", FP16, "dla0", {Role.MODEL_FP16}, ""),
        (
            "10.3.0",
            INT8,
            "dla0",
            {Role.CALIBRATION},
            "int8 on a DLA of TensorRT 10.3.0 needs calibration data, not a Q/DQ graph: give model.data.calibration",
        ),
        ("10.3.0", INT8, "dla0", {Role.MODEL_QDQ}, ""),
        ("8.6.2", INT8, "gpu", {Role.CALIBRATION}, ""),
        (
            "8.6.2",
            INT8,
            "gpu",
            {Role.CALIBRATION, Role.MODEL_QDQ},
            "int8 by builder flags needs calibration data or a Q/DQ graph: give model.data.calibration",
        ),
    ],
)
def test_a_precision_needs_its_files(version, precision, placement, without, reason):
    assert told(board(version), precision, placement, without=without) == reason


def test_a_dla_records_no_cuda_graph():
    graph = {"cuda_graph": "on"}
    for placement in ("dla0", "gpu+dla0"):
        assert "cuda_graph: a CUDA graph records" in told(board("10.3.0"), placement=placement, options=graph)
    assert told(board("10.3.0"), options=graph) == ""
    assert told(board("10.3.0"), placement="dla0", options={"cuda_graph": "off"}) == ""


@pytest.mark.parametrize(
    ("version", "precision", "dtype", "reason"),
    [
        ("10.3.0", FP16, "float32", ""),
        ("10.3.0", INT8, "float32", "takes fp16 alone by builder flags"),
        ("11.4.1", FP16, "float32", "needs float16 inputs and outputs in a strongly typed network"),
        ("11.4.1", FP16, "float16", ""),
    ],
)
def test_a_dla_without_the_gpu(version, precision, dtype, reason):
    inputs = (TensorSpec("x", dtype, (1, 3, 8, 8)),)
    off = {"gpu_fallback": "off"}
    found = told(board(version, **AGX), precision, "dla0", options=off, inputs=inputs)
    assert reason in found
    assert bool(found) is bool(reason)
    assert told(board(version, **AGX), precision, "dla0", inputs=inputs) == ""


def test_options_that_came_later():
    options = {"hardware_compatibility": "same_compute_capability"}
    reason = "hardware_compatibility: same_compute_capability came with TensorRT 10.13, and it has 10.3.0"
    assert told(board("10.3.0"), options=options) == reason
    assert told(board("10.13.3.9"), options=options) == ""
    assert told(board("10.3.0"), options={"hardware_compatibility": "ampere_plus"}) == ""


@pytest.mark.parametrize(
    ("facts", "placement", "reason"),
    [
        ({"compute_capability": "8.9"}, "gpu", ""),
        ({"drop": ("compute_capability",)}, "gpu", ""),
        (
            {},
            "gpu",
            "tensorrt_rtx builds for desktop GPUs (compute capability 7.5, 8.0, 8.6, 8.9, 12.0, 12.1), not for 8.7: "
            "use tensorrt",
        ),
        ({"drop": ("gpu",)}, "gpu", "it has no GPU that its agent can see"),
        ({}, "dla0", "tensorrt_rtx runs on a GPU, not on dla0"),
        ({}, "cpu", "tensorrt_rtx runs on a GPU, not on cpu"),
    ],
)
def test_the_workstation_sibling(facts, placement, reason):
    asked = variant("rtx", runtime="tensorrt_rtx", placement=placement)
    assert inability("tensorrt_rtx", placement, orin(runtime__tensorrt_rtx="1.7.1", **facts).facts, asked) == reason
