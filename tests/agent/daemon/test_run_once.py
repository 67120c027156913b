"""One task from a file, end to end with the real ONNX Runtime: build, bench, accuracy; and files that are no task."""

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import json_format

from agent.daemon.run_once import run_once
from jetfleet.blobs import BlobDir
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import FLAG_KIND_UNCHECKED, FLAG_KIND_WRONG_OUTPUT, PROVENANCE_MEASURED, Outcome, TaskSpec
from tests.agent.builders import Blobs, bench_task, build_task, classifier, scores

X = np.random.default_rng(5).standard_normal((2, 6)).astype(np.float32)
MODEL, WEIGHTS = classifier()
SECONDS = (0.05, 0.1, 0.5)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def once(spec: TaskSpec, folder: Path, blobs: Path) -> Outcome:
    (folder / "task.json").write_text(json_format.MessageToJson(spec))
    return run_once(folder / "task.json", blobs=blobs, out=folder / "out")


@pytest.fixture
def engine(tmp_path: Path, blobs: Blobs) -> bytes:
    outcome = once(build_task(blobs, runtime="onnxruntime", model=MODEL.SerializeToString()), tmp_path, blobs.folder)
    assert outcome.HasField("built"), outcome
    return (tmp_path / "out" / "out" / outcome.built.engine.sha256).read_bytes()


def test_a_real_engine_is_built_checked_evaluated_and_timed(tmp_path: Path, blobs: Blobs, engine: bytes) -> None:
    samples = np.random.default_rng(6).standard_normal((7, 6)).astype(np.float32)
    labels = scores(WEIGHTS, samples).argmax(axis=1)
    labels[0] = (labels[0] + 1) % 4
    artifacts = blobs.references({"x": X}, {"scores": scores(WEIGHTS, X)}) + blobs.evaluation({"x": samples}, labels)
    spec = bench_task(blobs, engine=engine, runtime="onnxruntime", artifacts=artifacts, seconds=SECONDS)
    (found,) = once(spec, tmp_path, blobs.folder).measured.measurements
    assert found.provenance == PROVENANCE_MEASURED
    assert found.checks[0].passed
    assert found.checks[0].top1_agreement == 1
    assert found.metrics["accuracy"].value == pytest.approx(6 / 7)
    assert found.accuracy_n == 7
    assert found.n >= 299
    assert (
        0
        < found.metrics["min_ms"].value
        <= found.metrics["p50_ms"].value
        <= found.metrics["p99_ms"].value
        <= found.metrics["max_ms"].value
    )
    assert found.metrics["compute_p50_ms"].value == found.metrics["p50_ms"].value
    assert "h2d_p50_ms" not in found.metrics


def test_a_real_engine_with_wrong_answers_is_not_timed(tmp_path: Path, blobs: Blobs, engine: bytes) -> None:
    artifacts = blobs.references({"x": X}, {"scores": scores(WEIGHTS, X) + 1})
    spec = bench_task(blobs, engine=engine, runtime="onnxruntime", artifacts=artifacts, seconds=SECONDS)
    (found,) = once(spec, tmp_path, blobs.folder).measured.measurements
    assert (found.n, [flag.kind for flag in found.flags]) == (0, [FLAG_KIND_WRONG_OUTPUT])


def test_without_a_reference_it_is_timed_and_flagged(tmp_path: Path, blobs: Blobs, engine: bytes) -> None:
    spec = bench_task(blobs, engine=engine, runtime="onnxruntime", seconds=SECONDS)
    (found,) = once(spec, tmp_path, blobs.folder).measured.measurements
    assert found.n > 0
    assert FLAG_KIND_UNCHECKED in [flag.kind for flag in found.flags]


def test_blobs_may_come_from_a_blob_dir(tmp_path: Path, blobs: Blobs) -> None:
    spec = build_task(blobs)
    store = BlobDir(tmp_path / "store")
    store.put_file(blobs.path(spec.build.artifacts[0].sha256))
    assert once(spec, tmp_path, store.root).HasField("built")


@pytest.mark.parametrize("name", ["../escape.onnx", "/etc/model.onnx", "a/../../b.onnx", "a\\b.onnx", ""])
def test_a_model_file_cannot_leave_its_folder(tmp_path: Path, blobs: Blobs, name: str) -> None:
    spec = build_task(blobs, runtime="onnxruntime")
    spec.build.artifacts[0].name = name
    failure = once(spec, tmp_path, blobs.folder).failure
    assert "is not a valid name of a file inside a folder" in failure.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", "not a task"),
        ('{"bulid": {}}', "bulid"),
        ('{"name": "x"}', "no work"),
        ('{"bench": {"subjects": [{"variantKey": "v"}]}}', "'v' has no engine"),
    ],
)
def test_a_file_that_is_no_task_is_told_why(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "task.json").write_text(text)
    with pytest.raises(BadInput, match=words):
        run_once(tmp_path / "task.json", blobs=tmp_path, out=tmp_path / "out")


def test_a_task_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read"):
        run_once(tmp_path / "nothing.json", blobs=tmp_path, out=tmp_path / "out")


def test_somebody_elses_folder_is_not_emptied(tmp_path: Path, blobs: Blobs) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(BadInput, match="other files"):
        once(build_task(blobs), tmp_path, blobs.folder)
    assert (tmp_path / "out" / "thesis.tex").exists()
