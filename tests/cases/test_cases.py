"""Small inputs that once went wrong, each prepared as a submit prepares it: what is right is pinned here."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from controller.intake.prepare import PreparedJob, prepare
from controller.model.job import Precision, Role, Variant
from jetfleet.errors import BadInput

HERE = Path(__file__).parent


class Case:
    """A copy of a case's folder, and what was told while it was prepared."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []

    def prepare(self, name: str) -> PreparedJob:
        self.lines.clear()
        state_dir = self.folder.parent / "state"
        return prepare(self.folder / name, state_dir=state_dir, progress=self.lines.append)

    def refused(self, name: str) -> BadInput:
        with pytest.raises(BadInput) as caught:
            self.prepare(name)
        return caught.value

    def told(self, words: str) -> bool:
        return any(words in line for line in self.lines)


@pytest.fixture
def case(tmp_path: Path) -> Callable[[str], Case]:
    def copied(name: str) -> Case:
        return Case(Path(shutil.copytree(HERE / name, tmp_path / name)))

    return copied


def of(prepared: PreparedJob, precision: Precision) -> Variant:
    return next(variant for variant in prepared.spec.variants if variant.precision is precision)


def graph(prepared: PreparedJob, variant: Variant, role: Role) -> onnx.ModelProto:
    artifact = next(item for item in variant.artifacts if item.role is role)
    return onnx.load(str(prepared.files[artifact.sha256]))


def test_an_offset_that_half_can_hold_is_not_cut(case: Callable[[str], Case]) -> None:
    prepared = case("01-fp16-offset").prepare("job.yaml")
    fp16 = of(prepared, Precision.FP16)
    assert fp16.refusal == ""
    weights = graph(prepared, fp16, Role.MODEL_FP16).graph.initializer
    assert 20000.0 in [float(onnx.numpy_helper.to_array(item).max()) for item in weights]


def test_scores_that_int8_loses_are_found_by_slice_and_the_others_run(case: Callable[[str], Case]) -> None:
    tried = case("02-yolo-int8")
    prepared = tried.prepare("job.yaml")
    assert of(prepared, Precision.FP32).refusal == of(prepared, Precision.FP16).refusal == ""
    int8 = of(prepared, Precision.INT8)
    lost = "in int8, output 'output0' is too far from FP32: index " in int8.refusal and " of axis 1 " in int8.refusal
    assert lost or tried.told("stay in float")  # refused by the slice, or mended by what is not quantised


def test_a_mask_lets_the_reference_see(case: Callable[[str], Case]) -> None:
    tried = case("03-attn-mask-zero")
    prepared = tried.prepare("job.yaml")
    assert tried.told("attention_mask constant[1]")
    outputs = [item for item in prepared.spec.variants[0].artifacts if item.role is Role.REFERENCE_OUTPUT]
    assert all(np.isfinite(np.load(prepared.files[item.sha256])).all() for item in outputs)


def test_an_image_of_bytes_is_not_black(case: Callable[[str], Case]) -> None:
    prepared = case("04-uint8-nhwc").prepare("job.yaml")
    (image,) = [item for item in prepared.spec.variants[0].artifacts if item.role is Role.REFERENCE_INPUT]
    pixels = np.load(prepared.files[image.sha256])
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert of(prepared, Precision.FP16).refusal == ""


def test_another_number_of_boxes_is_said(case: Callable[[str], Case]) -> None:
    tried = case("05-nms-offset")
    tried.prepare("count8.yaml")
    assert tried.told("rows matched")


def test_a_hidden_batch_is_named_with_its_node_and_the_other_runs(case: Callable[[str], Case]) -> None:
    refusals = {item.batch: item.refusal for item in case("06-hidden-batch").prepare("job.yaml").spec.variants}
    assert refusals[1] == ""
    assert refusals[8].startswith("the model runs with batch 1 and not with batch 8")
    assert "Reshape" in refusals[8]
    assert "{8,4,8,8}" in refusals[8]


def test_a_loop_body_reads_its_weights_in_float32(case: Callable[[str], Case]) -> None:
    tried = case("07-if-loop")
    rows = np.random.default_rng(0).standard_normal((32, 3, 8, 8)).astype(np.float32)
    np.savez(tried.folder / "calibloop.npz", x=rows)
    prepared = tried.prepare("loop.yaml")
    assert [item.refusal for item in prepared.spec.variants] == ["", "", ""]
    int8 = graph(prepared, of(prepared, Precision.INT8), Role.MODEL_QDQ)
    assert "QuantizeLinear" in {node.op_type for node in int8.graph.node}
    assert tried.told("int8 over fp32 against the FP32 reference: hist ")


def test_external_data_travels_and_a_short_file_is_an_input_error(case: Callable[[str], Case]) -> None:
    tried = case("09-external")
    prepared = tried.prepare("torchdefault.yaml")
    assert of(prepared, Precision.FP16).refusal == ""
    error = tried.refused("short.yaml")
    assert "short.bin is cut short" in error.message
    assert error.expected
    assert error.hint


@pytest.mark.parametrize("name", ["fp32.yaml", "job.yaml", "int8.yaml"])
def test_initialisers_as_inputs_are_weights(case: Callable[[str], Case], name: str) -> None:
    prepared = case("12-init-inputs").prepare(name)
    assert [item.refusal for item in prepared.spec.variants] == [""] * len(prepared.spec.variants)
    assert {tuple(spec.name for spec in item.inputs) for item in prepared.spec.variants} == {("x",)}


def test_a_changed_array_is_another_export(case: Callable[[str], Case]) -> None:
    tried = case("17-stale-cache")
    first = tried.prepare("job.yaml").spec.variants[0]
    np.save(tried.folder / "anchors.npy", np.load(tried.folder / "anchors.npy") + 1)
    second = tried.prepare("job.yaml").spec.variants[0]
    assert tried.told("exporting to ONNX")
    models = [next(item.sha256 for item in one.artifacts if item.role is Role.MODEL_FP32) for one in (first, second)]
    assert models[0] != models[1]


def test_a_random_model_is_found_at_submit(case: Callable[[str], Case]) -> None:
    error = case("18-random").refused("job.yaml")
    assert "(RandomNormalLike) is random" in error.message


def test_an_empty_cache_of_keys_runs(case: Callable[[str], Case]) -> None:
    prepared = case("21-past-zero").prepare("job.yaml")
    assert {spec.name: spec.shape for spec in prepared.spec.variants[0].inputs}["past_key"] == (1, 1, 0, 8)


def test_calibration_data_that_is_not_finite_is_named(case: Callable[[str], Case]) -> None:
    error = case("27-calib").refused("nan.yaml")
    assert "x holds NaN" in error.message
    assert "nan.npz" in error.message
    assert "replace the operator" not in error.hint


def test_one_row_of_calibration_is_said(case: Callable[[str], Case]) -> None:
    tried = case("27-calib")
    tried.prepare("one.yaml")
    assert tried.told("1 row")


def test_the_output_of_an_accuracy_is_never_guessed(case: Callable[[str], Case]) -> None:
    tried = case("29-multi-acc")
    error = tried.refused("job.yaml")
    assert "embedding" in f"{error.message}{error.expected}{error.hint}"
    assert "logits" in f"{error.message}{error.expected}{error.hint}"
