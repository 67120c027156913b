"""What a retry asks for again: the BENCHes that did not succeed, planned for their devices as they are now. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from controller.core.ability import inability
from controller.core.lifecycle import TERMINAL
from controller.core.plan import BuildCache, bound_bench, open_bench
from controller.model.job import Condition, Variant
from controller.model.task import Device, Plan, PlannedBench, PlannedBuild, TaskState
from jetfleet.errors import BadInput, NoDevice


@dataclass(frozen=True)
class PreviousBench:
    """A BENCH of the job that is over; `conditions` is None for one that was bound to `device_id` from the start."""

    variant: Variant
    state: TaskState
    device_id: str | None
    conditions: tuple[Condition, ...] | None
    second: tuple[Variant, ...] = ()  # the one that it is timed in turns with

    @property
    def variants(self) -> tuple[Variant, ...]:
        return (self.variant, *self.second)


def plan_again(
    tried: Sequence[PreviousBench], devices: Sequence[Device], known_engines: Collection[str], *, job_id: int
) -> Plan:
    """A plan for what did not succeed. A BENCH of an `any` target is open to whoever matches again.

    Raises BadInput if the job is not over or has nothing to retry, and NoDevice if no device can run any of it.
    """
    unfinished = sum(item.state not in TERMINAL for item in tried)
    if unfinished:
        raise BadInput(
            f"job {job_id} is not over: {unfinished} of {len(tried)} BENCH tasks have not ended",
            expected="a job that has ended",
            hint=f"`controller job watch {job_id}`, or `controller job cancel {job_id}` first",
        )
    again = [item for item in tried if item.state is not TaskState.SUCCEEDED]
    if not again:
        raise BadInput(f"everything in job {job_id} succeeded", expected="a job with something left to retry")
    builds: dict[str, PlannedBuild] = {}
    benches: list[PlannedBench] = []
    notes: list[str] = []
    cache = BuildCache()
    by_id = {device.id: device for device in devices}
    for item in again:
        if item.conditions is not None:
            benches.append(open_bench(*item.variants, conditions=item.conditions))
            continue
        device = by_id[item.device_id or ""]
        reasons = [inability(each.runtime, each.placement, device.facts, each) for each in item.variants]
        if any(reasons):
            notes.append(f"{device.name} is left out of {item.variant.key}: {next(filter(None, reasons))}")
            continue
        benches.append(bound_bench(*item.variants, device=device, builds=builds, cache=cache))
    if not benches:
        raise NoDevice(f"no device can run what is left of job {job_id}", hint="; ".join(notes))
    return Plan(tuple(builds.values()), tuple(benches), frozenset(builds) & frozenset(known_engines), tuple(notes))
