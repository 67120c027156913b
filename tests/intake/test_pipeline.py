"""Pipelines of job files: read, traced through real image files, held against the model, and told all at once."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.intake.jobfile.image_sizes import image_size
from controller.model.job import Role
from jetfleet.pipeline.steps import POST, PRE, numbers_of
from tests.intake.conftest import Workplace
from tests.intake.images import PIPELINE, image_network, save_frames

MODEL = "model: {onnx: m.onnx}\n"


@pytest.fixture
def job(place: Workplace) -> Workplace:
    place.model(image_network())
    save_frames(place.folder / "frames")
    return place


def test_a_pipeline_and_its_files_become_part_of_every_variant(job: Workplace) -> None:
    made = job.prepare(f"{MODEL}variants: {{batch: [1, 2]}}{PIPELINE}")
    for variant in made.spec.variants:
        assert variant.pipeline is not None
        assert variant.pipeline.tensor == "image"
        assert [step.step for step in variant.pipeline.pre] == ["decode", "resize", "crop", "normalise", "layout"]
        assert [step.step for step in variant.pipeline.post] == ["softmax", "top_k"]
        assert numbers_of(variant.pipeline.pre[3], "scale") == (1 / 255,)
        frames = [item for item in variant.artifacts if item.role is Role.FRAME]
        assert [item.name for item in frames] == ["000-0.jpg", "001-1.png"]
        assert made.files[frames[0].sha256].read_bytes() == (job.folder / "frames/0.jpg").read_bytes()


@pytest.mark.parametrize(
    ("before", "after", "message", "expected"),
    [
        ("decode", "decoed", "there is no step 'decoed'", ", ".join(PRE)),
        ("{crop: 8}", "{crop: 11}", "crop cannot take uint8[10, 13, 3]: it has no 11 x 11 pixels", "fit: cover"),
        ("{crop: 8}", "{crop: [8, 8, 8]}", "crop: size [8, 8, 8] has 3 numbers", "1 to 2 whole numbers"),
        ("{crop: 8}", "{crop: 8.5}", "crop: size 8.5 is not whole", "whole"),
        ("{crop: 8}", "crop", "crop needs size", "height and width"),
        ("fit: cover", "fit: covers", "resize: fit 'covers' is not a choice", "stretch, inside, cover"),
        ("fit: cover", "filter: box", "resize has no 'filter'", "size, fit, interpolation"),
        ("{layout: nchw}", "{layout: nhwc}", "0.jpg becomes float32[8, 8, 3], and image of", "[3, 8, 8]"),
        ("- {layout: nchw}", "- {layout: nchw}\n    - {crop: 8}", "crop cannot take float32[3, 8, 8]", "before layout"),
        ("- {crop: 8}", "- {cast: float32}\n    - {resize: 8}", "only uint8 pixels can be resized", "before normalise"),
        ("mean: [0.5, 0.4, 0.3]", "mean: [1, 2]", "mean has 2 numbers", "1 of them, or 3"),
        ("    - decode\n", "", "resize cannot take the bytes of a file: it was not decoded", "first step"),
        ("input: frames", "input: nowhere", "nowhere does not exist", "paths start at"),
        ("{top_k: 3}", "{top_k: 0}", "top_k: k 0 is out of range", "from 1"),
        ("softmax", "{softmax: logits}", "softmax: the model has no output 'logits'", "scores"),
        ("softmax", "{nms: {boxes: scores, scores: scores}}", "nms cannot take boxes", "[samples, rows, 4]"),
        ("softmax", "nms", "nms needs boxes", "the output that holds the boxes"),
        ("input: frames", "input: frames\n  tensor: images", "the model has no input 'images'", "image"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_sent(
    job: Workplace, before: str, after: str, message: str, expected: str
) -> None:
    assert before in PIPELINE
    error = job.refused(f"{MODEL}{PIPELINE.replace(before, after, 1)}")
    told = [error, *error.others]
    found = next((item for item in told if message in item.message), None)
    assert found is not None, [item.message for item in told]
    assert expected in found.expected
    assert "job.yaml:" in found.where


def test_everything_that_is_wrong_is_told_at_once(job: Workplace) -> None:
    wrong = PIPELINE.replace("crop: 8", "crop: big").replace("nchw", "chw").replace("top_k: 3", "top_k: many")
    error = job.refused(f"{MODEL}measure: {{seconds: -1}}\n{wrong}")
    told = "\n".join(item.message for item in [error, *error.others])
    for word in ("crop: size 'big'", "layout: to 'chw'", "top_k: k 'many'", "-1"):
        assert word in told


def test_every_frame_is_looked_at(job: Workplace) -> None:
    """The second one alone is too low for the crop, after a resize that keeps the proportions."""
    wrong = PIPELINE.replace("{resize: {size: 10, fit: cover}}", "{resize: {size: 10, fit: inside}}")
    error = job.refused(f"{MODEL}{wrong}")
    assert "(0.jpg, 12 x 16)" in error.message or "(1.png, 20 x 10)" in error.message


def test_a_file_that_is_not_an_image_is_named(job: Workplace) -> None:
    (job.folder / "frames/2.png").write_bytes(b"not one")
    assert "2.png is not a JPEG or PNG file" in job.refused(f"{MODEL}{PIPELINE}").message


def test_which_of_several_outputs_must_be_said(job: Workplace) -> None:
    job.model(image_network(outputs=2))
    assert "the model has 2 outputs" in job.refused(f"{MODEL}{PIPELINE}").message
    named = PIPELINE.replace("[softmax, {top_k: 3}]", "[{softmax: scores1}, {top_k: {k: 3, output: scores1}}]")
    assert job.prepare(f"{MODEL}{named}").spec.variants


def test_two_in_flight_and_a_pipeline_are_refused(job: Workplace) -> None:
    text = f"{MODEL}variants: {{runtime: [tensorrt]}}\noptions: {{tensorrt: {{inflight: 2}}}}\n{PIPELINE}"
    error = job.refused(text)
    assert "inflight: 2 beside a pipeline" in error.message
    assert "job.yaml:" in error.where


def test_a_users_function_travels_as_a_file(job: Workplace) -> None:
    source = job.write("code/own.py", "def pre(content):\n    ...\n")
    own = "pipeline: {input: frames, pre: [{callable: code/own.py:pre}], post: [{callable: code/own.py:post}]}\n"
    (variant,) = job.prepare(f"{MODEL}{own}").spec.variants
    (file,) = variant.callables
    assert (file.name, file.sha256) == ("code/own.py", hashlib.sha256(source.read_bytes()).hexdigest())


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("own.py", "does not name a function"),
        ("other.py:pre", "other.py does not exist"),
        ("own.txt:f", "does not name"),
    ],
)
def test_a_function_that_is_not_there_is_told(job: Workplace, reference: str, message: str) -> None:
    job.write("own.py", "")
    error = job.refused(f"{MODEL}pipeline: {{input: frames, pre: [{{callable: '{reference}'}}]}}\n")
    assert message in error.message


Change = Callable[[bytes], bytes]


@pytest.mark.parametrize("change", [lambda content: content[:20], lambda content: b"\xff\xd8" + bytes(100)])
def test_a_header_that_ends_early_has_no_size(tmp_path: Path, change: Change) -> None:
    save_frames(tmp_path / "frames", (12, 16), (20, 10))
    assert image_size(tmp_path / "frames/0.jpg") == (12, 16)
    assert image_size(tmp_path / "frames/1.png") == (20, 10)
    path = tmp_path / "frames/0.jpg"
    path.write_bytes(change(path.read_bytes()))
    assert image_size(path) is None


def test_every_main_parameter_is_one_of_its_steps() -> None:
    for specs in (PRE, POST):
        for name, spec in specs.items():
            assert not spec.main or spec.main in spec.names, name
