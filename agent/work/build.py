"""One BUILD inside the child: the model laid out as fresh files, built by its runtime, the engine published."""

import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from agent.attempt import AttemptDir, safe_name
from agent.runtime.base import Report
from agent.runtime.registry import open_runtime
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_CALIBRATION,
    ARTIFACT_ROLE_ENGINE,
    ARTIFACT_ROLE_TIMING_CACHE,
    Artifact,
    BuildTask,
    Built,
    Outcome,
    Returned,
)


def run_build(task: BuildTask, attempt: AttemptDir, report: Report) -> Outcome:
    """Builds, or gives the task back where the runtime's version is not the recipe's."""
    report("load", None, f"opening {task.runtime}")
    runtime = open_runtime(task.runtime)
    version = runtime.version()
    if task.runtime_version and task.runtime_version != version:
        reason = f"the recipe is for {task.runtime} {task.runtime_version}, this device runs {version}"
        return Outcome(returned=Returned(reason=reason))
    model_dir = attempt.root / "model"
    lay_out((item for item in task.artifacts if item.role != ARTIFACT_ROLE_CALIBRATION), attempt, model_dir)
    engine = attempt.root / "engine.part"
    report("build", None, f"{task.runtime} {version}")
    begin = time.monotonic()
    made = runtime.build(task, model_dir, engine, attempt.locate, report)
    elapsed_s = time.monotonic() - begin
    built = Built(engine=attempt.publish(engine, ARTIFACT_ROLE_ENGINE, f"{task.engine_key[:12] or 'engine'}.engine"))
    built.MergeFrom(made.built)
    built.build_time.FromNanoseconds(round(elapsed_s * 1e9))
    outcome = Outcome()
    for file in made.files:
        artifact = attempt.publish(file.path, file.role, file.name)
        if file.role == ARTIFACT_ROLE_TIMING_CACHE:
            built.timing_cache.made.CopyFrom(artifact)
        else:
            outcome.artifacts.append(artifact)
    outcome.built.CopyFrom(built)
    return outcome


def lay_out(artifacts: Iterable[Artifact], attempt: AttemptDir, folder: Path) -> None:
    """Copies files to the names that the graph knows them by. Raises BadInput for names that leave the folder.

    Copies and not links: a graph's external data must be regular files with no second name.
    """
    folder.mkdir()
    for item in artifacts:
        target = folder / safe_name(item.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            raise BadInput(f"two files of the model are named {item.name!r}")
        shutil.copyfile(attempt.locate(item), target)
