"""How much a caller may send or be sent: texts of agents, names, tasks in one message, room on the disk."""

import shutil
from dataclasses import replace
from pathlib import Path

from controller.model.codec import dump
from controller.model.job import JobSpec
from controller.model.lease import Outcome, Registration, Returned
from controller.model.task import Failure
from jetfleet.errors import BadInput, DiskFull
from jetfleet.v1 import control_pb2

MOST_HELD = 1000  # attempts of one agent, in one message
_LONGEST_NAME = 256
_LONGEST_KEY = 1000
_LONGEST_TEXT = 8000
MOST_OUTCOME_BYTES = 1 << 20  # of what an attempt made: with its row it has to fit into one message
_MOST_FACTS_BYTES = 64 << 10
# Of the 4 MiB of a message.
_TASKS_BYTES = 3 << 20
_FIRST = {"FAILED": 0, "TIMED_OUT": 0, "LEASED": 1, "READY": 2, "WAITING": 2, "SUCCEEDED": 4}


def check_registration(who: Registration) -> None:
    """Raises BadInput."""
    for field in ("device_id", "session_id", "name", "hardware_serial", "boot_id", "bench_domain", "agent_version"):
        check_length(str(getattr(who, field)), field)
    size = len(dump(dict(who.facts)))
    if size > _MOST_FACTS_BYTES:
        raise BadInput(f"{size} bytes of facts about a device", expected=f"at most {_MOST_FACTS_BYTES}")
    if len(who.held) > MOST_HELD:
        raise BadInput(f"{len(who.held)} attempts held by one agent", expected=f"at most {MOST_HELD}")


def check_key(key: str) -> None:
    """Of a submit or a retry that can be sent twice. Raises BadInput."""
    if not key:
        raise BadInput("a request without idempotency_key")
    if len(key) > _LONGEST_KEY:
        raise BadInput(f"an idempotency key of {len(key)} characters", expected=f"at most {_LONGEST_KEY}")


def check_job_names(spec: JobSpec) -> None:
    """Raises BadInput."""
    check_length(spec.name, "the job's name")
    check_length(spec.model_name, "the model's name")
    for variant in spec.variants:
        check_length(variant.key, "a variant's key")


def check_room(folder: Path, *, size_bytes: int, min_free_percent: float) -> None:
    """Raises DiskFull where a file of this size would leave less free than is kept for the database."""
    usage = shutil.disk_usage(folder)
    kept = int(usage.total * min_free_percent / 100)
    if usage.free - size_bytes < kept:
        raise DiskFull(
            f"no room for {size_bytes / 1e6:.1f} MB: {usage.free / 1e9:.1f} GB of the controller's disk are free, "
            f"and {min_free_percent:g} % ({kept / 1e9:.1f} GB) are kept",
            hint="`controller gc` makes room; `controller serve --min-free` says how much is kept",
        )


def short_outcome(outcome: Outcome) -> Outcome:
    """With texts that fit into every message about its job."""
    end = outcome.end
    if isinstance(end, Failure):
        end = replace(end, message=end.message[:_LONGEST_TEXT], phase=end.phase[:_LONGEST_NAME])
    elif isinstance(end, Returned):
        end = Returned(end.reason[:_LONGEST_TEXT])
    return replace(outcome, end=end)


def trim_tasks(job: control_pb2.Job) -> None:
    """Leaves out tasks that do not fit into a message, those that need nobody's attention first; `total` counts all."""
    if job.ByteSize() <= _TASKS_BYTES:
        return
    size, kept = 0, []
    for task in sorted(job.tasks, key=lambda task: _FIRST.get(task.state, 3)):
        size += task.ByteSize() + 8
        if size > _TASKS_BYTES:
            break
        kept.append(task)
    kept_ids = {task.id for task in kept}
    rest = [task for task in job.tasks if task.id in kept_ids]
    del job.tasks[:]
    job.tasks.extend(rest)


def check_length(text: str, what: str) -> None:
    """Raises BadInput."""
    if len(text) > _LONGEST_NAME:
        raise BadInput(f"{what} has {len(text)} characters", expected=f"at most {_LONGEST_NAME}")
