"""The attempt's folder: inputs found whole, outputs under their digest, names that stay inside."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.attempt import AttemptDir, inputs_of, outputs_of, safe_name
from agent.work.build import lay_out
from jetfleet.blobs import sha256_file
from jetfleet.errors import BadInput, Infrastructure
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_LOG,
    ARTIFACT_ROLE_MODEL_DATA,
    Artifact,
    Built,
    Measured,
    Measurement,
    Outcome,
    TaskSpec,
)
from tests.agent.builders import Blobs, bench_task, build_task


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptDir:
    folder = AttemptDir(tmp_path / "attempt")
    folder.create(TaskSpec(name="it"))
    return folder


def test_an_output_lies_under_its_digest(attempt: AttemptDir) -> None:
    (attempt.root / "part").write_bytes(b"content")
    item = attempt.publish(attempt.root / "part", ARTIFACT_ROLE_LOG, "log.txt")
    assert sha256_file(attempt.out / item.sha256) == item.sha256
    assert (item.name, item.size_bytes, item.role) == ("log.txt", 7, ARTIFACT_ROLE_LOG)
    assert not (attempt.root / "part").exists()


def test_an_outcome_is_read_as_it_was_written_and_not_before(attempt: AttemptDir) -> None:
    assert attempt.read_outcome() is None
    attempt.write_outcome(Outcome(peak_rss_bytes=5))
    assert attempt.read_outcome() == Outcome(peak_rss_bytes=5)


def test_an_input_must_be_there_in_full(attempt: AttemptDir) -> None:
    item = Artifact(name="x", sha256="ab" * 32, size_bytes=4)
    with pytest.raises(Infrastructure, match="missing"):
        attempt.locate(item)
    (attempt.blobs / item.sha256).write_bytes(b"abc")
    with pytest.raises(Infrastructure, match="not whole"):
        attempt.locate(item)
    (attempt.blobs / item.sha256).write_bytes(b"abcd")
    assert attempt.locate(item).read_bytes() == b"abcd"


def test_inputs_and_outputs_are_listed_once(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "store")
    reference = blobs.references({"x": [1.0]}, {"y": [1.0]})  # the same bytes twice
    assert len(inputs_of(bench_task(blobs, artifacts=reference))) == 2
    assert len(inputs_of(build_task(blobs))) == 1
    log, engine, samples = (Artifact(sha256=letter * 64) for letter in "abc")
    assert outputs_of(Outcome(built=Built(engine=engine), artifacts=[log, log])) == [engine, log]
    timed = Measurement(samples=samples)
    assert outputs_of(Outcome(measured=Measured(measurements=[timed, Measurement()]))) == [samples]


def test_a_models_files_are_fresh_copies_under_their_own_names(attempt: AttemptDir) -> None:
    source = attempt.blobs / ("ab" * 32)
    source.write_bytes(b"weights")
    item = Artifact(role=ARTIFACT_ROLE_MODEL_DATA, name="data/w.bin", sha256="ab" * 32, size_bytes=7)
    lay_out([item], attempt, attempt.root / "model")
    target = attempt.root / "model" / "data" / "w.bin"
    assert target.read_bytes() == b"weights"
    assert target.stat().st_nlink == 1
    assert target.stat().st_ino != source.stat().st_ino


def test_two_files_of_one_name_are_refused(attempt: AttemptDir) -> None:
    (attempt.blobs / ("ab" * 32)).write_bytes(b"weights")
    item = Artifact(name="w.bin", sha256="ab" * 32, size_bytes=7)
    with pytest.raises(BadInput, match="two files"):
        lay_out([item, item], attempt, attempt.root / "model")


@given(st.lists(st.sampled_from(["..", ".", "a", "", "/", "b.bin", "~", "\\", "\0"]), max_size=6).map("/".join))
def test_a_name_is_safe_or_refused(name: str) -> None:
    try:
        path = safe_name(name)
    except BadInput:
        return
    inside = Path("/folder/inside")
    assert Path(str(inside / path)).resolve().is_relative_to(inside)
    assert path.parts
