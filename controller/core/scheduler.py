"""Which task a device should work on next. Pure: the caller brings the facts and opens the attempt."""

import heapq
from collections.abc import Callable, Iterable, Sequence

from controller.core.ability import inability
from controller.core.keys import device_class
from controller.core.lifecycle import shunned_devices
from controller.core.select import matches
from controller.model.task import Candidate, Device, TaskKind

# The order of preference, and its one home: attributes of a candidate, and whether the larger value comes first. The
# higher priority, the older job, BUILD before BENCH because other boards wait for engines, the older task. The store's
# index and queries are made from it; kinds compare as their names do.
ORDER = (("priority", True), ("job_id", False), ("kind", True), ("task_id", False))
_KINDS = sorted(kind.value for kind in TaskKind)


def rank(task: Candidate) -> tuple[int, ...]:
    """Sorts candidates, the best first."""
    return tuple(-_number(task, name) if larger_first else _number(task, name) for name, larger_first in ORDER)


def pick(device: Device, ready: Iterable[Candidate], *, others: Sequence[Device] = ()) -> Candidate | None:
    """The best task for an idle device, or None.

    `others` are the other devices online: a task that met a fault here is left to them if one of them can take it.
    """
    able = [task for task in ready if can_run(device, task)]
    return pick_able(device, [sorted(able, key=rank)], others=lambda: others)


def pick_able(
    device: Device, lines: Iterable[Iterable[Candidate]], *, others: Callable[[], Sequence[Device]]
) -> Candidate | None:
    """Like `pick`, for tasks that the device can run, in lines that are in order; reads no more than it needs."""
    if device.cordoned:
        return None
    for task in heapq.merge(*lines, key=rank):
        if not task.history or not leave_to_others(device, task, others()):
            return task
    return None


def can_run(device: Device, task: Candidate) -> bool:
    if unable(device, task):
        return False
    if task.kind is TaskKind.BUILD:
        same_class = task.class_key == device_class(device, runtime=task.runtime, placement=task.placement).key
        return same_class and device.facts.get(f"runtime.{task.runtime}") == task.runtime_version
    if task.device_id is not None:
        return task.device_id == device.id
    return matches(task.conditions, device)


def unable(device: Device, task: Candidate) -> str:
    """Why a device cannot run what a task runs, by its facts alone; empty if it can."""
    first = inability(task.runtime, task.placement, device.facts, task.variant)
    if first or task.second is None:
        return first
    return inability(task.second.runtime, task.second.placement, device.facts, task.second)


def leave_to_others(device: Device, task: Candidate, others: Sequence[Device]) -> bool:
    """Whether a task that met a fault of this device waits for another one, because one of `others` can take it."""
    shunned = shunned_devices(task.history)
    if device.id not in shunned:
        return False
    return any(
        other.id not in shunned and other.online and not other.cordoned and can_run(other, task) for other in others
    )


def _number(task: Candidate, name: str) -> int:
    return _KINDS.index(task.kind.value) if name == "kind" else int(getattr(task, name))
