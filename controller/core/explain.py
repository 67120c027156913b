"""One exact sentence for every unfinished task: what it waits for, or where it runs. Pure: the caller brings the facts.

The sentences come from the same decisions that the scheduler takes, so that they cannot tell another story.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from controller.core.keys import class_fields
from controller.core.lifecycle import TERMINAL, retry_budget
from controller.core.scheduler import can_run, leave_to_others, pick, unable
from controller.core.select import nearest_miss, unmet
from controller.model.facts import shown
from controller.model.state_words import state_word
from controller.model.task import AttemptEnd, Candidate, Device, TaskKind, TaskState
from jetfleet.plural import counted

_NAMED = 3  # devices named in one sentence; the rest is counted


@dataclass(frozen=True)
class BlockingBuild:
    """The BUILD that a WAITING task waits for; `device` and `phase` while it is LEASED."""

    task_id: int
    name: str
    state: TaskState
    device: str = ""
    phase: str = ""


@dataclass(frozen=True)
class OpenAttempt:
    """What runs now; `running` once the child has been started."""

    task_id: int
    task_name: str
    job_id: int
    device: Device
    running: bool = False
    phase: str = ""


@dataclass(frozen=True)
class Unfinished:
    """A task to explain, with what the state needs: `blocked_by` if WAITING, `candidate` if READY, `attempt` if LEASED.

    `class_fields` are the device class of a BUILD, for people. `timed_out`: `cancel_asked` because the deadline passed.
    `deadline_s` is how long the job has left until then.
    """

    task_id: int
    state: TaskState
    history: tuple[AttemptEnd, ...] = ()
    blocked_by: BlockingBuild | None = None
    candidate: Candidate | None = None
    attempt: OpenAttempt | None = None
    class_fields: tuple[tuple[str, str], ...] = ()
    cancel_asked: bool = False
    timed_out: bool = False
    deadline_s: float | None = None
    lost_files: tuple[str, ...] = ()  # by name: files that it is made of, and that are gone
    sought_files: tuple[str, ...] = ()  # likewise, and agents are asked for them


@dataclass(frozen=True)
class Fleet:
    """The moment: every device, every READY task, what runs in each bench domain, when each device was last heard."""

    devices: Sequence[Device]
    ready: Sequence[Candidate] = ()
    running: Mapping[str, OpenAttempt] = field(default_factory=dict)
    last_seen: Mapping[str, datetime] = field(default_factory=dict)
    paused: Mapping[str, str] = field(default_factory=dict)  # by device: why its agent takes no work for now

    @cached_property
    def online(self) -> Sequence[Device]:
        return [device for device in self.devices if device.online]

    @cached_property
    def next_on(self) -> Mapping[str, Candidate | None]:
        """What each online device would take if it asked now."""
        return {device.id: pick(device, self.ready, others=self.online) for device in self.online}

    def name(self, device_id: str) -> str:
        return next((device.name for device in self.devices if device.id == device_id), device_id)


def why(task: Unfinished, fleet: Fleet) -> str:
    """Why an unfinished task has not ended yet. Raises ValueError for one that has, or without what its state needs."""
    if task.state is TaskState.WAITING:
        return (_lost(task.lost_files) or _sought(task.sought_files) or _waiting(task.blocked_by)) + _deadline(task)
    if task.state is TaskState.READY and task.candidate:
        return _ready(task, task.candidate, fleet) + _retry(task.history, fleet) + _deadline(task)
    if task.state is TaskState.LEASED and task.attempt:
        return _leased(task, task.attempt, fleet) + _retry(task.history, fleet) + _deadline(task)
    raise ValueError(f"task {task.task_id} is {task.state.value}, and what that needs is missing")


def _lost(files: tuple[str, ...]) -> str:
    return _gone(files) and f"{_gone(files)}: submit its job file again to bring it back"


def _sought(files: tuple[str, ...]) -> str:
    return _gone(files) and f"{_gone(files)}: agents are asked for theirs"


def _gone(files: tuple[str, ...]) -> str:
    if not files:
        return ""
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"waits for {files[0]}{more}, whose copy here is damaged or gone"


def _waiting(build: BlockingBuild | None) -> str:
    if build is None:
        return "waits to be planned: no engine is assigned to it yet"
    who = f"task {build.task_id} ({build.name})"
    if build.state is TaskState.LEASED:
        where = f" on {build.device}" if build.device else ""
        return f"waits for its engine: {who} runs{where}" + (f", phase {build.phase}" if build.phase else "")
    if build.state is TaskState.SUCCEEDED:
        return f"its engine was built by {who}; it is about to become ready"
    if build.state in TERMINAL:
        return f"its engine will not come: {who} is {state_word(build.state)}"
    return f"waits for its engine: {who} is {state_word(build.state)} and has not started"


def _leased(task: Unfinished, attempt: OpenAttempt, fleet: Fleet) -> str:
    name = attempt.device.name
    if task.cancel_asked:
        return (
            f"is being stopped on {name}: its deadline has passed"
            if task.timed_out
            else f"is being cancelled on {name}"
        )
    if not attempt.running:
        return f"was handed to {name}, which has not started it yet"
    paused = fleet.paused.get(attempt.device.id, "")
    phase = f", phase {attempt.phase}" if attempt.phase else ""
    return f"runs on {name}{phase}" + (f"; that agent is paused: {paused}" if paused else "")


def _ready(task: Unfinished, candidate: Candidate, fleet: Fleet) -> str:
    able = [device for device in fleet.devices if can_run(device, candidate)]
    if not able:
        return _nobody(task, candidate, fleet)
    obstacles = [(device.name, _obstacle(device, candidate, fleet)) for device in able]
    free = next((name for name, obstacle in obstacles if not obstacle), None)
    if free is not None:
        return f"is next on {free}, as soon as it asks for work"
    if len(obstacles) == 1:
        return "waits for {}, which {}".format(*obstacles[0])
    told = [f"{name} {obstacle}" for name, obstacle in obstacles[:_NAMED]]
    more = [f"{len(obstacles) - _NAMED} more"] if len(obstacles) > _NAMED else []
    return f"waits for one of {counted(len(obstacles), 'device')}: {', '.join(told + more)}"


def _obstacle(device: Device, task: Candidate, fleet: Fleet) -> str:
    """What keeps a device from taking a task that it can run, as the end of a sentence; empty if nothing does."""
    if absence := _absence(device, fleet):
        return absence
    busy = fleet.running.get(device.bench_domain)
    if busy:
        what = f"busy with task {busy.task_id} ({busy.task_name}) of job {busy.job_id}"
        if busy.device.id == device.id:
            return f"is {what}"
        return f"shares its hardware with {busy.device.name}, {what}"
    if leave_to_others(device, task, fleet.online):
        return "met a fault with it and leaves it to the others"
    first = fleet.next_on[device.id]
    return f"first takes {_ahead(first, task)}" if first and first.task_id != task.task_id else ""


def _absence(device: Device, fleet: Fleet) -> str:
    """Why a device takes no work at all."""
    if not device.online:
        seen = fleet.last_seen.get(device.id)
        return f"is offline since {seen:%Y-%m-%d %H:%M:%S %Z}" if seen else "is offline"
    if device.cordoned:
        return f"is cordoned: {device.cordoned}"
    reason = fleet.paused.get(device.id)
    return f"is paused: {reason}" if reason else ""


def _ahead(first: Candidate, task: Candidate) -> str:
    who = f"task {first.task_id} of job {first.job_id}"
    if first.priority > task.priority:
        return f"{who}, which has priority {first.priority} over {task.priority}"
    if first.job_id < task.job_id:
        return f"{who}, an older job"
    if first.kind is not task.kind:
        return f"{who}, a BUILD that others wait for"
    return f"{who}, which is older"


def _nobody(task: Unfinished, candidate: Candidate, fleet: Fleet) -> str:
    if candidate.kind is TaskKind.BUILD:
        return _nobody_builds(task, candidate, fleet)
    if candidate.device_id is not None:
        device = next((item for item in fleet.devices if item.id == candidate.device_id), None)
        if device is None:
            return f"waits for device {candidate.device_id}, which is not registered"
        return f"waits for {device.name}, but {unable(device, candidate)}"
    matching = [device for device in fleet.devices if not unmet(candidate.conditions, device)]
    if not matching:
        return f"no registered device matches its target; {nearest_miss(candidate.conditions, fleet.devices)}"
    reason = unable(matching[0], candidate)
    return f"no device that matches its target can run it; nearest: {matching[0].name}, but {reason}"


def _nobody_builds(task: Unfinished, candidate: Candidate, fleet: Fleet) -> str:
    """A class mismatch: the board that this engine was planned for has changed, or was never seen again."""
    opening = "no registered device is of the device class that it builds for"
    gaps = [(_class_gaps(device, task, candidate), device.name) for device in fleet.devices]
    if not gaps:
        return f"{opening}; no device has ever registered"
    gap, name = min(gaps, key=lambda pair: len(pair[0]))
    return f"{opening}; nearest: {name}, " + (", ".join(gap) or "which is another one")


def _class_gaps(device: Device, task: Unfinished, candidate: Candidate) -> list[str]:
    reason = unable(device, candidate)
    if reason:
        return [f"but {reason}"]
    version = str(device.facts[f"runtime.{candidate.runtime}"])
    gaps = []
    if version != candidate.runtime_version:
        gaps.append(f"whose {candidate.runtime} is {version}, not {candidate.runtime_version}")
    have = {
        name: shown(device.facts.get(name))
        for name in class_fields(device.facts, candidate.runtime, candidate.placement)
    }
    wanted = dict(task.class_fields)
    gaps += [
        f"whose {name} is {have.get(name, 'unknown')}, not {value}"
        for name, value in wanted.items()
        if name != "device" and have.get(name, "unknown") != value
    ]
    return gaps


def _deadline(task: Unfinished) -> str:
    if task.deadline_s is None or task.cancel_asked:
        return ""
    if task.deadline_s <= 0:
        return "; the job's deadline has just passed"
    return f"; the job's deadline is in {task.deadline_s:.0f} s"


def _retry(history: Sequence[AttemptEnd], fleet: Fleet) -> str:
    """What was tried before: "; attempt 2 of 2 after OUT_OF_MEMORY on orin-1"."""
    if not history:
        return ""
    last = history[-1]
    cause = (last.failure or last.state).value
    number = f"attempt {len(history) + 1}"
    spent, limit = retry_budget(history)
    number += f" of {limit}" if spent == len(history) else f" ({spent + 1} of {limit} of its kind)"
    return f"; {number} after {cause} on {fleet.name(last.device_id)}"
