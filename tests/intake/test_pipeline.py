"""Pipelines of job files: read, traced through real image files, held against the model, and told all at once."""

import hashlib
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

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
        ("softmax", "{softmax: logits}", "softmax: there is no output 'logits'", "scores"),
        ("{top_k: 3}", "{top_k: 6}", "top_k: 6 of scores [1, 5], which has 5 in each row", "at most 5"),
        ("{top_k: 3}", "{top_k: 3}, {top_k: {k: 4, output: scores}}", "top_k: 4 of scores [1, 3]", "at most 3"),
        ("softmax", "{softmax: {axis: 2}}", "softmax: scores [1, 5] has no axis 2", "from -2 to 1"),
        ("softmax", "argmax", "top_k: 3 of scores [1], which has 1", "at most 1"),
        ("softmax", "{top_k: 2}", "there are 2 outputs, and which one is meant", "scores, scores.classes"),
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


def one_byte_wrong(content: bytes) -> bytes:
    return content[:60] + bytes([content[60] ^ 1]) + content[61:]


def bomb(content: bytes) -> bytes:
    """A PNG whose header promises 20,000 x 20,000 pixels."""
    header = b"IHDR" + struct.pack(">II", 20_000, 20_000) + content[24:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        ("0.jpg", lambda content: content[:-40], "0.jpg ends before its image does"),
        ("1.png", lambda content: content[:-40], "1.png ends before its image does"),
        (
            "1.png",
            lambda content: content[:60] + b"?" + content[61:],
            "1.png is damaged (the checksum of IDAT is wrong)",
        ),
        ("1.png", bomb, "1.png has 20000 x 20000 pixels, more than 128000000"),
        ("0.jpg", lambda content: b"", "0.jpg is not a JPEG or PNG file"),
        ("0.jpg", lambda content: b"<html>", "0.jpg is not a JPEG or PNG file"),
    ],
)
def test_a_file_that_no_board_could_decode_is_named(
    job: Workplace, name: str, change: Callable[[bytes], bytes], fault: str
) -> None:
    path = job.folder / "frames" / name
    path.write_bytes(change(path.read_bytes()))
    error = job.refused(f"{MODEL}{PIPELINE}")
    assert (error.message, error.expected) == (fault, "whole JPEG or PNG files")


def test_every_damaged_file_is_told_and_a_whole_one_is_not(job: Workplace) -> None:
    """A JPEG whose thumbnail is whole and whose image is not, a PNG in passes, palettes, bytes behind the end."""
    folder = job.folder / "frames"
    whole = (folder / "0.jpg").read_bytes()
    thumbnail = b"\xff\xe1" + struct.pack(">H", 2 + len(whole)) + whole
    (folder / "0.jpg").write_bytes(b"\xff\xd8" + thumbnail + whole[2:-100])
    (folder / "2.jpg").write_bytes(whole + bytes(100))
    (folder / "3.jpg").write_bytes(b"\xff\xd8" + thumbnail + whole[2:])
    Image.new("P", (16, 12)).save(folder / "4.png", bits=2)
    (folder / "1.png").write_bytes(b"")
    (folder / "5.png").mkdir()
    error = job.refused(f"{MODEL}{PIPELINE}")
    assert [item.message.split()[0] for item in (error, *error.others)] == ["0.jpg", "1.png"]


def test_a_file_that_is_not_an_image_is_named(job: Workplace) -> None:
    (job.folder / "frames/2.png").write_bytes(b"not one")
    assert "2.png is not a JPEG or PNG file" in job.refused(f"{MODEL}{PIPELINE}").message


def test_which_of_several_outputs_must_be_said(job: Workplace) -> None:
    job.model(image_network(outputs=2))
    assert "there are 2 outputs" in job.refused(f"{MODEL}{PIPELINE}").message
    named = PIPELINE.replace("[softmax, {top_k: 3}]", "[{softmax: scores1}, {top_k: {k: 3, output: scores1}}]")
    assert job.prepare(f"{MODEL}{named}").spec.variants


def test_two_in_flight_and_a_pipeline_are_refused(job: Workplace) -> None:
    text = f"{MODEL}variants: {{runtime: [tensorrt]}}\noptions: {{tensorrt: {{inflight: 2}}}}\n{PIPELINE}"
    error = job.refused(text)
    assert "inflight: 2 beside a pipeline" in error.message
    assert "job.yaml:" in error.where


def test_a_users_function_travels_as_a_file(job: Workplace) -> None:
    source = job.write("code/own.py", "def pre(content):\n    ...\n\n\ndef post(outputs):\n    ...\n")
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


@pytest.mark.parametrize(
    ("source", "message", "expected"),
    [
        ("def post(outputs): ...", "own.py has no function 'pre'", "post"),
        ("def pree(content): ...", "own.py has no function 'pre'", "pree"),
        ("def outer():\n    def pre(content): ...", "own.py has no function 'pre'", "outer"),
        ("", "own.py has no function 'pre'", "a function in that file"),
        ("import os\nSIZE = 3\ndef post(outputs): ...", "own.py has no function 'pre'", "post"),
        ("import os.path\nfrom json import loads\nif os:\n    def post(outputs): ...", "no function 'pre'", "post"),
        ("import numpy as pre", "own.py has no function 'pre'", "a function in that file"),
        ("def pre(content:\n", "own.py, line 1 is not valid Python", "a Python file"),
        ("x = '\0'", "own.py", "a Python file"),
        ("def pre(content): ...", "", ""),
        ("from numpy import frombuffer as pre", "", ""),
        ("try:\n    import numpy\nexcept ImportError:\n    pass\nelse:\n    pre = later = numpy.array", "", ""),
        ("if True:\n    class pre: ...", "", ""),
        ("from os.path import *", "", ""),
        ("globals()['pre'] = len", "", ""),
    ],
)
def test_a_function_that_the_file_does_not_have_is_told(
    job: Workplace, source: str, message: str, expected: str
) -> None:
    job.write("own.py", source)
    text = f"{MODEL}pipeline: {{input: frames, pre: [{{callable: own.py:pre}}]}}\n"
    if not message:
        assert job.prepare(text).spec.variants
        return
    error = job.refused(text)
    assert message in error.message
    assert error.expected == expected


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
