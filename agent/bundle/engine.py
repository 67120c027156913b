"""Which engine a bundle runs here: its own, one that was built here from its ONNX before, or one that is built now.

A bundle that is damaged is refused, always. One whose engine is not for this machine is rebuilt or refused, by policy.
"""

import contextlib
import fcntl
import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from google.protobuf import json_format
from google.protobuf.message import Message

from agent.bundle.target import fact_text, mismatches, runtime_version
from agent.daemon.run_once import read_task, run_once
from jetfleet.blobs import sha256_file
from jetfleet.bundle import BENCH, BUILD, FILES, Manifest
from jetfleet.errors import BadInput, Infrastructure, TaskFailed
from jetfleet.v1.task_pb2 import ARTIFACT_ROLE_ENGINE, Artifact, TaskSpec

_log = logging.getLogger(__name__)

_RECORD = "rebuilt.json"


class OnMismatch(str, Enum):
    """What becomes of an engine that is for another machine."""

    REBUILD = "rebuild"
    REFUSE = "refuse"


@dataclass(frozen=True)
class UsableEngine:
    """A BENCH of one subject whose engine may be loaded here, and the folder of its files. `rebuilt`: why it is new."""

    bench: TaskSpec
    blobs: Path
    rebuilt: tuple[str, ...] = ()


def usable_engine(
    folder: Path, manifest: Manifest, facts: Message, *, state: Path, on_mismatch: OnMismatch
) -> UsableEngine:
    """Raises BadInput where it may not be run here and may not be rebuilt, TaskFailed where the build fails."""
    bench = _bench_of(folder, manifest)
    differing = mismatches(manifest, facts)
    if not differing:
        return UsableEngine(bench, folder / FILES)
    return rebuilt_engine(folder, manifest, facts, differing, state=state, on_mismatch=on_mismatch)


def rebuilt_engine(
    folder: Path,
    manifest: Manifest,
    facts: Message,
    reasons: Sequence[str],
    *,
    state: Path,
    on_mismatch: OnMismatch,
) -> UsableEngine:
    """The engine made again from the bundle's ONNX for this machine; kept, and taken again while nothing changes."""
    if on_mismatch is OnMismatch.REFUSE:
        raise BadInput(
            f"the engine is not for this machine: {'; '.join(reasons)}",
            where=str(folder),
            hint="run it where it was measured, or build it again here: --on-mismatch rebuild",
        )
    here = runtime_version(facts, manifest.runtime)
    if not here:
        raise Infrastructure(f"{manifest.runtime} is not installed here", where=manifest.name)
    kept = state / manifest.engine[:16]
    with _alone(kept):
        engine = _kept_engine(kept, manifest, facts) or _build(folder, manifest, facts, kept)
    bench = _bench_of(folder, manifest)
    (subject,) = bench.bench.subjects
    subject.engine.CopyFrom(engine)
    subject.runtime_version = here
    blobs = kept / "files"
    blobs.mkdir(exist_ok=True)
    for item in subject.artifacts:
        _link(folder / FILES / item.sha256, blobs / item.sha256)
    return UsableEngine(bench, blobs, tuple(reasons))


def _bench_of(folder: Path, manifest: Manifest) -> TaskSpec:
    """Of one subject, with the engine of the manifest and files of the bundle alone. Raises BadInput."""
    bench = read_task(folder / BENCH)
    subjects = list(bench.bench.subjects)
    if len(subjects) != 1 or subjects[0].engine.sha256 != manifest.engine:
        raise BadInput("it is not the bench of the bundle's engine", where=str(folder / BENCH))
    for item in subjects[0].artifacts:
        if f"{FILES}/{item.sha256}" not in manifest.files:
            raise BadInput(f"{item.sha256[:80]!r} is not a file of the bundle", where=str(folder / BENCH))
    return bench


def _build_of(folder: Path) -> TaskSpec:
    task = read_task(folder / BUILD)
    if task.WhichOneof("work") != "build":
        raise BadInput("it is not a build", where=str(folder / BUILD))
    return task


@contextlib.contextmanager
def _alone(kept: Path) -> Iterator[None]:
    """Of several that start at once, one builds, and the others take what it built."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _kept_engine(kept: Path, manifest: Manifest, facts: Message) -> Artifact | None:
    """Of an earlier start, if machine and runtime are still those, and its bytes, too."""
    try:
        record = json.loads((kept / _RECORD).read_text())
        path = kept / "files" / record["sha256"]
        whole = path.is_file() and sha256_file(path) == record["sha256"]
        like_here = replace(manifest, device=record["device"], runtime_version=record["runtime_version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not whole or mismatches(like_here, facts):
        return None
    return Artifact(role=ARTIFACT_ROLE_ENGINE, name="engine", sha256=record["sha256"], size_bytes=path.stat().st_size)


def _build(folder: Path, manifest: Manifest, facts: Message, kept: Path) -> Artifact:
    """In a child process, as an agent builds."""
    _log.warning("building the engine of %s for this machine from its ONNX", manifest.name)
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    task = _build_of(folder)
    task.build.runtime_version = runtime_version(facts, manifest.runtime)
    del task.build.timing_caches[:]  # of another machine's builder
    task_file = kept / BUILD
    task_file.write_text(json_format.MessageToJson(task))
    outcome = run_once(task_file, blobs=folder / FILES, out=kept / "build")
    if not outcome.HasField("built"):
        raise TaskFailed(f"the engine cannot be built here: {outcome.failure.message}", where=manifest.name)
    engine = outcome.built.engine
    files = kept / "files"
    files.mkdir()
    (kept / "build" / "out" / engine.sha256).replace(files / engine.sha256)
    shutil.rmtree(kept / "build")
    record = {
        "sha256": engine.sha256,
        "runtime_version": task.build.runtime_version,
        "device": {name: found for name in manifest.device if (found := fact_text(facts, name)) is not None},
    }
    (kept / _RECORD).write_text(json.dumps(record, indent=1))
    return engine


def _link(source: Path, target: Path) -> None:
    if target.exists():
        return
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
