"""A job and its baseline run again, in turns on the boards that measured both: what a gate is decided by."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from controller.model.comparison import ComparisonReport
from controller.model.facts import DEVICE_NAME
from controller.model.interleaved import RegressionLimit
from controller.model.job import Condition, JobSpec, Limits, Op, Quantifier, Target
from controller.model.state_words import state_word
from controller.model.task import TaskKind, TaskState
from controller.model.view import DeviceView, JobView, TaskView
from jetfleet.errors import BadInput
from jetfleet.stats.interleaved import FEWEST
from jetfleet.stats.regression import FALSE_ALARMS

if TYPE_CHECKING:
    from controller.api.client import Client

Say = Callable[[str], None]


@dataclass(frozen=True)
class GateRun:
    """`missing`: what was to be timed in turns and was not, with its reason."""

    reports: Mapping[RegressionLimit, ComparisonReport]
    missing: tuple[str, ...] = ()


def run_in_turns(
    client: "Client",
    job_id: int,
    base_id: int,
    devices: Sequence[str],
    limits: Sequence[RegressionLimit],
    *,
    say: Say,
) -> GateRun:
    """Waits for it; the job's deadline ends that at last.

    Raises JetfleetError where the two cannot be run in turns: files that are gone, boards that are all off.
    """
    absent = _absent(client, devices)
    there = [device for device in devices if device not in absent]
    if not there:
        raise BadInput("; ".join(absent.values()) or "no board measured both")
    spec = pair_specs(client.job_spec(base_id), client.job_spec(job_id), there, limits)
    job = client.submit_spec(spec, {})
    say(f"job {job.job_id}: both in turns on {', '.join(there)}")
    view = client.wait(job.job_id)
    missing = (*absent.values(), *not_timed(view))
    return GateRun({limit: client.compare([job.job_id], metric=limit.metric) for limit in limits}, missing)


def _absent(client: "Client", devices: Sequence[str]) -> dict[str, str]:
    """Boards that nothing would be run on, and why: a job that names one waits for it."""
    known = {device.name: device for device in client.devices()}
    states = {name: _state(known.get(name)) for name in devices}
    return {name: f"{name} is {state}: nothing was timed in turns there" for name, state in states.items() if state}


def _state(device: DeviceView | None) -> str:
    """Empty for one that takes work."""
    if device is None:
        return "gone"
    if device.cordoned:
        return "cordoned"
    return "" if device.online else "offline"


def not_timed(view: JobView) -> Iterator[str]:
    tasks = {task.id: task for task in view.tasks}
    for task in view.tasks:
        if task.kind is TaskKind.BENCH and task.state is not TaskState.SUCCEEDED:
            blamed = tasks.get(task.because_of_task or task.id, task)
            yield f"{task.name} on {task.device}: not timed in turns: {_why(task, blamed)}"


def _why(task: TaskView, blamed: TaskView) -> str:
    failure = task.failure or blamed.failure
    return failure.message if failure else f"{state_word(blamed.state)} (`controller job show`)"


def pair_specs(base: JobSpec, candidate: JobSpec, devices: Sequence[str], limits: Sequence[RegressionLimit]) -> JobSpec:
    """Both jobs as one whose variants are timed in turns on these devices; those of one key, where there are several.
    Its processes are run until each limit is known to be kept or not.

    Raises BadInput where no variant is in both.
    """
    from controller.intake.pairs import pair_jobs
    from controller.intake.prepare import PreparedJob

    on = (Target(Quantifier.EVERY, (Condition(DEVICE_NAME, Op.IN, tuple(devices)),)),)
    keys = {variant.key for variant in base.variants} & {variant.key for variant in candidate.variants}
    sides = [_side(spec, keys, candidate) for spec in (base, candidate)]
    paired = pair_jobs(*(PreparedJob(replace(side, targets=on), {}) for side in sides)).spec
    cells = len(paired.pairs) * len(devices) * len(limits)
    measure = replace(paired.measure, max_regression=tuple(limits), confidence=1 - FALSE_ALARMS / max(1, cells))
    bounded = _bounded(paired.limits, candidate.limits.deadline_s, pairs=len(paired.pairs))
    return replace(paired, name=f"gate-{candidate.name}"[:100], measure=measure, limits=bounded)


def _bounded(limits: Limits, deadline_s: int | None, *, pairs: int) -> Limits:
    """A board that goes off meanwhile must not keep a gate waiting for ever: as long as all of it may take at most."""
    longest_s = 2 * limits.build_s + pairs * limits.bench_s
    return replace(limits, deadline_s=deadline_s or longest_s)


def _side(spec: JobSpec, keys: set[str], candidate: JobSpec) -> JobSpec:
    """Measured as the candidate is, but for a number of processes of which nothing can be said: then until it can."""
    variants = tuple(variant for variant in spec.variants if variant.key in keys) if keys else spec.variants
    measure = candidate.measure
    if measure.runs < FEWEST:
        measure = replace(measure, runs=0)
    return replace(spec, variants=variants, measure=measure)
