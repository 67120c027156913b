"""Which task a device should work on next. Pure: the caller brings the facts and opens the attempt."""

from collections.abc import Iterable, Sequence

from controller.core.ability import inability
from controller.core.keys import device_class
from controller.core.lifecycle import shunned_devices
from controller.core.select import matches
from controller.model.task import Candidate, Device, TaskKind


def pick(device: Device, ready: Iterable[Candidate], *, others: Sequence[Device] = ()) -> Candidate | None:
    """The best task for an idle device, or None.

    Priority first, then the older job, then BUILD before BENCH because other boards wait for engines. `others` are
    the other devices online: a task that met a fault here is left to them if one of them can take it.
    """
    if device.cordoned:
        return None
    able = [task for task in ready if can_run(device, task) and not leave_to_others(device, task, others)]
    return min(able, key=_order, default=None)


def can_run(device: Device, task: Candidate) -> bool:
    if inability(task.runtime, task.placement, device.facts, task.variant):
        return False
    if task.kind is TaskKind.BUILD:
        same_class = task.class_key == device_class(device, runtime=task.runtime, placement=task.placement).key
        return same_class and device.facts.get(f"runtime.{task.runtime}") == task.runtime_version
    if task.device_id is not None:
        return task.device_id == device.id
    return matches(task.conditions, device)


def leave_to_others(device: Device, task: Candidate, others: Sequence[Device]) -> bool:
    """Whether a task that met a fault of this device waits for another one, because one of `others` can take it."""
    shunned = shunned_devices(task.history)
    if device.id not in shunned:
        return False
    return any(
        other.id not in shunned and other.online and not other.cordoned and can_run(other, task) for other in others
    )


def _order(task: Candidate) -> tuple[int, int, bool, int]:
    return (-task.priority, task.job_id, task.kind is TaskKind.BENCH, task.task_id)
