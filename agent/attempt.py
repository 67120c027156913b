"""The folder of one attempt: what the agent lays out, what its child reads and writes, and how both name things.

task.pb            the TaskSpec
blobs/<sha256>     inputs, verified
out/<sha256>       outputs
outcome.pb         how it ended; appears whole, and last
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from jetfleet.blobs import check_digest, sha256_file, sync_folder
from jetfleet.errors import BadInput, Infrastructure
from jetfleet.v1.task_pb2 import Artifact, ArtifactRole, Outcome, TaskSpec


class AttemptDir:
    """Paths and safe writes inside an attempt's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.task = root / "task.pb"
        self.outcome = root / "outcome.pb"
        self.blobs = root / "blobs"
        self.out = root / "out"

    def create(self, spec: TaskSpec) -> None:
        """An empty folder with the task in it; what was there before is gone."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.blobs.mkdir(parents=True)
        self.out.mkdir()
        self.task.write_bytes(spec.SerializeToString())

    def locate(self, artifact: Artifact) -> Path:
        """The file of an input. Raises Infrastructure if it is not there in full."""
        path = self.blobs / check_digest(artifact.sha256)
        size = path.stat().st_size if path.is_file() else None
        if size is None or (artifact.size_bytes and size != artifact.size_bytes):
            raise Infrastructure(
                f"input {artifact.name or artifact.sha256[:12]} is {'missing' if size is None else 'not whole'}",
                where=str(path),
                expected=f"{artifact.size_bytes} bytes",
            )
        return path

    def publish(self, path: Path, role: "ArtifactRole.ValueType", name: str) -> Artifact:
        """Moves a finished file to its digest in `out`; after this it survives a power cut."""
        with path.open("rb") as file:
            os.fsync(file.fileno())
        sha256 = sha256_file(path)
        target = self.out / sha256
        path.replace(target)
        sync_folder(self.out)
        return Artifact(role=role, name=name, sha256=sha256, size_bytes=target.stat().st_size)

    def write_outcome(self, outcome: Outcome) -> None:
        part = self.root / "outcome.part"
        with part.open("wb") as file:
            file.write(outcome.SerializeToString())
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.outcome)
        sync_folder(self.root)

    def read_outcome(self) -> Outcome | None:
        """The child's last word, or None if it did not get that far."""
        if not self.outcome.is_file():
            return None
        outcome: Outcome = Outcome.FromString(self.outcome.read_bytes())
        return outcome


def inputs_of(spec: TaskSpec) -> list[Artifact]:
    """Every file that a task needs, each once."""
    wanted = [*spec.build.artifacts, *spec.build.timing_caches]
    for subject in spec.bench.subjects:
        wanted += [subject.engine, *subject.artifacts]
    return list({item.sha256: item for item in wanted}.values())


def outputs_of(outcome: Outcome) -> list[Artifact]:
    """Every file that belongs to an outcome, each once: what has to be uploaded before it is committed."""
    return list({item.sha256: item for item in _outputs(outcome) if item.sha256}.values())


def _outputs(outcome: Outcome) -> Iterator[Artifact]:
    yield outcome.built.engine
    yield outcome.built.timing_cache.made
    for measurement in outcome.measured.measurements:
        yield measurement.samples
        for run in measurement.runs:
            yield run.samples
    yield from outcome.artifacts


def safe_name(name: str) -> PurePosixPath:
    """A file name from outside as a relative path. Raises BadInput if it could leave its folder."""
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or not path.parts:
        raise BadInput(
            f"{name!r} is not a valid name of a file inside a folder", expected="a relative path without '..'"
        )
    return path
