"""One task from a file, with no controller in sight: `agent once task.json`."""

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from google.protobuf import json_format

from agent.daemon.board_settings import BoardSettings
from agent.daemon.runner import run_attempt
from agent.helper.client import helper_socket
from jetfleet.blobs import check_digest
from jetfleet.errors import BadInput
from jetfleet.pipeline.callables import with_callables
from jetfleet.v1.task_pb2 import ARTIFACT_ROLE_ENGINE, Facts, Outcome, Progress, TaskSpec

_log = logging.getLogger(__name__)

_MAX_TASK_BYTES = 4 << 20  # as long as a message on the wire may be


def run_once(task_file: Path, *, blobs: Path, out: Path, callables: Sequence[str] = ()) -> Outcome:
    """Runs the task in a child process; files of the outcome lie in `out`/out by digest.

    `blobs` is a BlobDir, or a plain folder of files named by their SHA-256. `out` is made, or emptied if an earlier run
    made it. `callables` are digests of users' Python files that may run, or ANY. Raises BadInput for a task that cannot
    be read, or that is not complete.
    """
    spec = read_task(task_file)
    _refuse_foreign_folder(out)
    return asyncio.run(_run(spec, blobs=blobs, out=out.resolve(), env=with_callables(os.environ, callables)))


def read_task(task_file: Path) -> TaskSpec:
    """A TaskSpec from protobuf's JSON."""
    where = str(task_file)
    try:
        if task_file.stat().st_size > _MAX_TASK_BYTES:
            raise BadInput("the file is too large for a task", where=where, expected=f"at most {_MAX_TASK_BYTES} bytes")
        spec = json_format.Parse(task_file.read_text(encoding="utf-8"), TaskSpec())
    except OSError as error:
        raise BadInput(f"cannot read the task: {error.strerror}", where=where) from error
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise BadInput(f"not a task: {error}", where=where, expected="a TaskSpec in protobuf's JSON form") from error
    if spec.WhichOneof("work") is None:
        raise BadInput("the task asks for no work", where=where, expected="one of: build, bench")
    for subject in spec.bench.subjects:
        if subject.engine.role != ARTIFACT_ROLE_ENGINE or not subject.engine.sha256:
            raise BadInput(
                f"subject {subject.variant_key!r} has no engine",
                where=where,
                expected="engine: {role: ARTIFACT_ROLE_ENGINE, sha256: ...}",
                hint="run its build task first: the engine's digest is in that outcome",
            )
    return spec


def blob_path(blobs: Path, sha256: str) -> Path:
    """Where a digest lies, in either kind of folder."""
    plain = blobs / check_digest(sha256)
    return plain if plain.exists() else blobs / "objects" / sha256[:2] / sha256


def _refuse_foreign_folder(out: Path) -> None:
    """The attempt empties its folder first: it must be nobody else's."""
    if out.exists() and any(out.iterdir()) and not (out / "task.pb").exists():
        raise BadInput("the folder holds other files", where=str(out), expected="an empty or a new folder")


async def _run(spec: TaskSpec, *, blobs: Path, out: Path, env: Mapping[str, str]) -> Outcome:
    def log_progress(progress: Progress) -> None:
        _log.info("task %d: %s %s", spec.task_id, progress.phase, progress.detail)

    def place(sha256: str) -> Path:
        return blob_path(blobs, sha256)

    run = partial(run_attempt, spec, out, place, on_progress=log_progress, stop=asyncio.Event(), env=env)
    made_up = all(subject.runtime == "simulated" for subject in spec.bench.subjects)
    return await BoardSettings(Facts(simulated=made_up), helper=helper_socket(env)).under(spec, run)
