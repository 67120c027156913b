"""Steps before and behind an engine, held against what they are by hand."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from agent.pipeline.callables import UserFunctions
from agent.pipeline.functions import before, behind
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import Pipeline
from tests.agent.builders import nowhere
from tests.agent.pipeline.frames import image, pipeline, png_header, step

NOBODY = UserFunctions([], nowhere, env={})
DECODE = step("decode")


def frame(content, *steps):
    return before(pipeline(DECODE, *steps), NOBODY)(content)


def pixels(content):
    return np.asarray(Image.open(BytesIO(content)).convert("RGB"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_an_image_file_becomes_its_pixels(kind):
    content = image(kind=kind)
    assert np.array_equal(frame(content), pixels(content))
    assert frame(content).dtype == np.uint8


def test_a_file_of_another_kind_is_not_opened():
    file = BytesIO()
    Image.new("RGB", (4, 4)).save(file, "GIF")
    with pytest.raises(BadInput, match="not a JPEG or PNG file"):
        frame(file.getvalue())


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "CMYK"])
def test_every_kind_of_image_becomes_three_channels(mode):
    file = BytesIO()
    Image.new(mode, (5, 4)).save(file, "JPEG" if mode == "CMYK" else "PNG")
    assert frame(file.getvalue()).shape == (4, 5, 3)


def test_gray_in_16_bits_is_not_clipped():
    deep = (np.arange(256).reshape(16, 16) * 256 + 7).astype(np.uint16)
    file = BytesIO()
    Image.fromarray(deep).save(file, "PNG")
    assert np.array_equal(frame(file.getvalue())[:, :, 1], deep >> 8)


def test_an_image_that_promises_pixels_without_end_is_refused():
    """Two thirds of what Pillow refuses by itself, where it only warns."""
    with pytest.raises(BadInput, match="12000 x 12000 pixels are too many"):
        frame(png_header(12000, 12000))


def test_an_image_that_ends_early_is_not_readable():
    with pytest.raises(BadInput, match="cannot be decoded"):
        frame(image(200, 300, kind="JPEG")[:2000])


def test_what_a_classifier_wants():
    """The usual chain: shorter side to 10, the middle 8 x 8, colours swapped, normalised by channel, channels first."""
    content = image(12, 16)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    found = frame(
        content,
        step("resize", size=10, fit="cover", interpolation="bicubic"),
        step("crop", size=8),
        step("color", to="bgr"),
        step("normalise", scale=1 / 255, mean=mean, std=std),
        step("layout", to="nchw"),
    )
    resized = np.asarray(Image.fromarray(pixels(content)).resize((13, 10), Image.Resampling.BICUBIC))
    wanted = (resized[1:9, 2:10, ::-1] / 255 - mean) / std
    assert found.shape == (3, 8, 8)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted.transpose(2, 0, 1), atol=1e-5)


def test_a_letterbox_keeps_the_proportions_and_fills_the_rest():
    found = frame(image(12, 16), step("resize", size=8, fit="inside"), step("pad", size=8, value=114))
    assert found.shape == (8, 8, 3)
    assert (found[0] == 114).all()
    assert (found[-1] == 114).all()
    assert not (found[1:7] == 114).all()
    corner = frame(image(12, 16), step("resize", size=8, fit="inside"), step("pad", size=8, align="corner"))
    assert (corner[6:] == 0).all()
    assert np.array_equal(corner[:6], found[1:7])


def test_gray_is_one_channel_by_either_way():
    content = image()
    decoded = before(pipeline(step("decode", color="gray")), NOBODY)(content)
    assert decoded.shape == (12, 16, 1)
    assert np.abs(decoded.astype(int) - frame(content, step("color", to="gray"))).max() <= 1


def test_normalising_knows_where_the_channels_are():
    content, by_channel = image(), {"mean": [1, 2, 3], "std": [1, 2, 4]}
    behind_them = frame(content, step("normalise", **by_channel), step("layout", to="nchw"))
    before_them = frame(content, step("layout", to="nchw"), step("normalise", **by_channel))
    np.testing.assert_allclose(behind_them, before_them, atol=1e-5)


def test_a_cast_to_integers_rounds_and_stays_within_the_type():
    found = frame(image(), step("normalise", scale=2.3), step("cast", to="uint8"))
    assert found.dtype == np.uint8
    wanted = np.clip(np.rint(pixels(image()) * np.float32(2.3)), 0, 255)
    assert np.abs(found.astype(float) - wanted).max() <= 1


def test_an_image_that_is_too_small_to_crop_is_named():
    with pytest.raises(BadInput, match=r"\[12, 16\] pixels"):
        frame(image(), step("crop", size=13))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (pipeline(step("resize", size=8)), "first step does not read files"),
        (pipeline(DECODE, step("sharpen")), "no step 'sharpen'"),
    ],
)
def test_what_this_agent_does_not_know_is_refused(made: Pipeline, message: str):
    with pytest.raises(BadInput, match=message):
        before(made, NOBODY)


def answer(outputs, *steps):
    function = behind(pipeline(DECODE, post=steps), NOBODY)
    assert function is not None
    return function(outputs)


def test_the_best_classes_with_their_probabilities():
    scores = np.array([[0.0, 2.0, 1.0, 2.0], [5.0, 0.0, 0.0, 1.0]], dtype=np.float32)
    found = answer({"scores": scores}, step("softmax"), step("top_k", k=2, output="scores"))
    powers = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert found["scores.classes"][1].tolist() == [0, 3]
    assert set(found["scores.classes"][0].tolist()) == {1, 3}
    np.testing.assert_allclose(found["scores"][1], powers[1, [0, 3]], rtol=1e-5)


def test_more_than_there_are_is_all_of_them():
    assert answer({"s": np.eye(3)}, step("top_k", k=9))["s.classes"].shape == (3, 3)


def test_argmax_of_an_image_is_a_map():
    found = answer({"mask": np.random.default_rng(0).random((1, 5, 4, 4))}, step("argmax", axis=1))
    assert found["mask"].shape == (1, 4, 4)


def test_overlapping_boxes_of_one_class_are_one():
    """Two that overlap by 0.68, one of another class at the same place, one far away, one of a score too low."""
    boxes = np.array([[[0, 0, 10, 10], [1, 1, 11, 11], [0, 0, 10, 10], [50, 50, 60, 60], [80, 80, 90, 90]]], np.float32)
    scores = np.zeros((1, 5, 2), np.float32)
    scores[0, [0, 1, 3, 4], 0] = [0.9, 0.8, 0.7, 0.1]
    scores[0, 2, 1] = 0.6
    wanted = step("nms", boxes="b", scores="s", iou=0.5, score=0.25)
    (found,) = answer({"b": boxes, "s": scores}, wanted)["detections"]
    assert found[:, 5].tolist() == [0, 0, 1]
    np.testing.assert_allclose(found[:, 4], [0.9, 0.7, 0.6])
    centred = np.concatenate([(boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]], axis=-1)
    same = step("nms", boxes="b", scores="s", iou=0.5, score=0.25, format="cxcywh")
    np.testing.assert_allclose(answer({"b": centred, "s": scores}, same)["detections"][0], found)


def test_no_box_is_an_answer():
    (found,) = answer({"b": np.zeros((1, 4, 4)), "s": np.zeros((1, 4))}, step("nms", boxes="b", scores="s"))[
        "detections"
    ]
    assert found.shape == (0, 6)


def test_which_of_several_outputs_must_be_said():
    with pytest.raises(BadInput, match="which output it takes is not said"):
        answer({"a": np.eye(2), "b": np.eye(2)}, step("softmax"))
