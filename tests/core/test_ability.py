"""Whether a device can run something there, and the sentence that says why not."""

import pytest

from controller.core.ability import inability, lowering_for
from controller.model.job import Artifact, Lowering, Precision, Role
from jetfleet.pipeline.steps import Pipeline, PipelineStep
from testing.devices import device, orin
from testing.specs import tensorrt, variant

NO_CUDA = "its onnxruntime has no CUDA provider: install onnxruntime-gpu, on a Jetson the wheel for its JetPack"
CARD = {"runtime__onnxruntime_cuda": "1.23.2", "gpu": "NVIDIA H200", "compute_capability": "9.0"}


@pytest.mark.parametrize(
    ("runtime", "placement", "board", "reason"),
    [
        ("onnxruntime", "cpu", device(), ""),
        ("onnxruntime", "cpu+cpu", device(), ""),
        ("onnxruntime", "gpu", device(), "it has no GPU that its agent can see"),
        ("onnxruntime", "gpu", device(gpu="NVIDIA H200"), NO_CUDA),
        ("onnxruntime", "cpu+gpu", device(gpu="NVIDIA H200"), NO_CUDA),
        ("onnxruntime", "gpu", device(**CARD), ""),
        ("onnxruntime", "gpu+cpu+gpu", device(**CARD), ""),
        (
            "onnxruntime",
            "dla0",
            orin(runtime__onnxruntime="1"),
            "onnxruntime runs on a CPU or a GPU; a DLA is tensorrt's",
        ),
        ("tensorrt", "cpu", device(), "it has no tensorrt (it has onnxruntime)"),
        ("tensorrt", "gpu", device(**CARD), "it has no tensorrt (it has onnxruntime)"),
        ("tensorrt", "gpu", device(drop=("runtime.onnxruntime",)), "it has no tensorrt (it has no runtime)"),
        ("tensorrt", "cpu+gpu", orin(), "tensorrt runs on a GPU or a DLA, not on cpu"),
        ("tensorrt", "gpu+dla0+dla1", orin(), ""),
        ("tensorrt", "gpu+dla0", orin(drop=("gpu",)), "it has no GPU that its agent can see"),
        ("simulated", "gpu+dla1", device(runtime__simulated="1"), ""),
        ("simulated", "gpu", device(), "it has no simulated (it has onnxruntime)"),
    ],
)
def test_inability(runtime, placement, board, reason):
    assert inability(runtime, placement, board.facts) == reason


def test_tf32_is_a_mode_of_a_gpu():
    board = device(**CARD)
    asked = variant(precision=Precision.TF32)
    assert inability("onnxruntime", "gpu", board.facts, asked) == ""
    assert inability("onnxruntime", "gpu+cpu", board.facts, asked) == "onnxruntime has no tf32 on a CPU"


def test_what_a_variant_asks_for_is_looked_at_where_it_is_known():
    asked = tensorrt(Precision.FP32, "gpu+dla0")
    assert inability("tensorrt", "gpu+dla0", orin().facts) == ""
    assert inability("tensorrt", "gpu+dla0", orin().facts, asked) == "a DLA runs fp16 and int8, not fp32"


@pytest.mark.parametrize("runtime", ["onnxruntime", "simulated"])
def test_other_runtimes_take_typed_graphs(runtime):
    asked = variant(runtime=runtime, precision=Precision.INT8, options={"lowering": "flags"})
    assert lowering_for(device().facts, asked, "dla0") is Lowering.TYPED_GRAPH


def test_a_part_of_a_placement_has_its_own_lowering():
    asked = tensorrt(Precision.FP16, "gpu+dla0")
    assert lowering_for(orin().facts, asked, "gpu") is Lowering.TYPED_GRAPH
    assert lowering_for(orin().facts, asked, "dla0") is Lowering.BUILDER_FLAGS


FILE = Artifact(Role.CALLABLE, "own.py", "ab" * 32, 12)
PIPELINE = Pipeline("x", (PipelineStep("decode"),))


@pytest.mark.parametrize("allowed", [("any",), (FILE.sha256,), ("cd" * 32, FILE.sha256)])
def test_a_users_code_runs_where_the_boards_owner_allows_it(allowed):
    asked = variant(artifacts=(FILE,))
    assert inability("onnxruntime", "cpu", device(callables=allowed).facts, asked) == ""


@pytest.mark.parametrize("facts", [{}, {"callables": ("cd" * 32,)}])
def test_elsewhere_it_is_refused_with_the_command_that_allows_it(facts):
    reason = inability("onnxruntime", "cpu", device(**facts).facts, variant(artifacts=(FILE,)))
    assert reason.startswith("its agent does not run own.py: `agent run --allow-callable " + FILE.sha256)


def test_a_pipeline_needs_the_image_library_on_every_runtime():
    asked = variant(pipeline=PIPELINE)
    for runtime, facts in (("onnxruntime", {}), ("simulated", {"runtime__simulated": "1"})):
        assert "pip install 'jetfleet[pipeline]'" in inability(runtime, "cpu", device(**facts).facts, asked)
        assert inability(runtime, "cpu", device(pillow="12.0", **facts).facts, asked) == ""
