"""From a job, the devices and the engines to tasks: a BUILD per engine key, a BENCH per variant and device. Pure.

Runs when a job is submitted, and again for one BENCH when its device's facts turn out to have changed.
"""

from collections import Counter
from collections.abc import Collection, MutableMapping, Sequence
from itertools import product
from typing import TypedDict

from controller.core.ability import inability, lowering_for, warning
from controller.core.board_settings import check_alike, check_names
from controller.core.keys import build_artifacts, device_class, engine_key
from controller.core.notes import PlanNotes
from controller.core.select import nearest_miss, unmet
from controller.model.facts import shown
from controller.model.interleaved import Pair
from controller.model.job import Condition, JobSpec, Lowering, Mode, Quantifier, Target, TensorSpec, Variant
from controller.model.result import Schedule
from controller.model.task import Device, DeviceClass, Plan, PlannedBench, PlannedBuild, PlannedSubject, Recipe
from jetfleet.errors import BadInput, NoDevice
from jetfleet.options import build_options
from jetfleet.placement import Placement

_EVERY_DEVICE = Target(Quantifier.EVERY)


class _Manner(TypedDict):
    schedule: Schedule
    name: str


def plan(spec: JobSpec, devices: Sequence[Device], known_engines: Collection[str]) -> Plan:
    """Everything a job needs, offline devices included, but of a job without targets, which means those online.

    `known_engines` are the keys that are built or being built. Raises NoDevice, naming the nearest miss, if a
    variant of a target has no device that could ever run it, and BadInput for variants that make no sense.
    """
    _check_variants(spec.variants)
    builds: dict[str, PlannedBuild] = {}
    benches: dict[tuple[str, str | None, tuple[Condition, ...]], PlannedBench] = {}
    notes = PlanNotes()
    cache = BuildCache()
    present = devices if spec.targets else _at_work(devices, notes)
    for target, group in product(spec.targets or (_EVERY_DEVICE,), _groups(spec)):
        able = [] if _is_refused(group, notes) else _able_devices(group, target, present, notes)
        if not able or target.quantifier is Quantifier.ANY:
            found = [open_bench(*group, conditions=target.conditions)]
        else:
            found = [bound_bench(*group, device=device, builds=builds, cache=cache) for device in able]
        benches.update({(bench.name or bench.variant_key, bench.device_id, bench.conditions): bench for bench in found})
    return Plan(
        builds=tuple(builds.values()),
        benches=tuple(benches.values()),
        reused=frozenset(builds) & frozenset(known_engines),
        notes=notes.lines(),
    )


def _at_work(devices: Sequence[Device], notes: PlanNotes) -> Sequence[Device]:
    """The devices that a job without targets means. Raises NoDevice if there is none of them, but others are known."""
    present = [device for device in devices if device.online and not device.cordoned]
    absent = [device for device in devices if device not in present]
    for device in absent:
        notes.absent(device.name, "cordoned" if device.cordoned else "offline")
    if absent and not present:
        raise NoDevice(
            "no device is online",
            expected="one that is online and not cordoned, or targets that name who is awaited",
            hint=f"{', '.join(notes.lines())}; `targets: [{{every: {{}}}}]` waits for them",
        )
    return present


def _groups(spec: JobSpec) -> Sequence[tuple[Variant, ...]]:
    """What a BENCH is made of: each variant by itself, or of a job of pairs the base and the candidate of each."""
    known = {variant.key: variant for variant in spec.variants}
    if not spec.pairs:
        return [(variant,) for variant in spec.variants]
    if spec.measure.mode is not Mode.LATENCY:
        raise BadInput(f"mode {spec.measure.mode.value} has no turns", where="measure.mode", expected="mode: latency")
    for variant in spec.variants:
        if len(Placement(variant.placement).parts) > 1:
            raise BadInput(
                f"{variant.placement} is several parts, which cannot be timed in turns with another variant",
                where=variant.key,
                expected="one part for each variant of a pair: gpu, dla0, cpu",
            )
    groups = [(known[pair.base], known[pair.candidate]) for pair in spec.pairs]
    for group in groups:
        check_alike(group)
    return groups


def _is_refused(group: Sequence[Variant], notes: PlanNotes) -> bool:
    """Whether a variant of the group has no graph: then nothing of it runs."""
    refused = [variant for variant in group if variant.refusal]
    for variant in refused:
        notes.refused(variant.key, variant.refusal)
    return bool(refused)


def pair_name(group: Sequence[Variant]) -> str:
    base, candidate = group
    return Pair(base.key, candidate.key).name


def open_bench(first: Variant, *second: Variant, conditions: tuple[Condition, ...]) -> PlannedBench:
    """A variant on any device that matches: one subject per part of its placement, without engines yet. With a second
    variant: the two in turns.
    """
    group = (first, *second)
    parts = [(variant.key, part) for variant in group for part in Placement(variant.placement).parts]
    subjects = tuple(PlannedSubject(part, variant_key=key if second else "") for key, part in parts)
    refusal = next((variant.refusal for variant in group if variant.refusal), "")
    return PlannedBench(first.key, None, subjects, conditions, refusal, **_manner(group, subjects))


def _manner(group: Sequence[Variant], subjects: Sequence[PlannedSubject]) -> _Manner:
    if len(group) > 1:
        return {"schedule": Schedule.INTERLEAVED, "name": pair_name(group)}
    return {"schedule": Schedule.ALONE if len(subjects) == 1 else Schedule.CONCURRENT, "name": ""}


class BuildCache:
    """Builds by all that decides them: boards of one class share them, and a large job asks for each many times."""

    def __init__(self) -> None:
        self._classes: dict[tuple[str, str, str], DeviceClass] = {}
        self._builds: dict[tuple[str, str, str, str, Lowering], PlannedBuild] = {}

    def build_for(self, variant: Variant, device: Device, part: str) -> PlannedBuild:
        runtime, where = variant.runtime, Placement(part).engine
        klass = self._classes.get((device.id, runtime, where))
        if klass is None:
            klass = device_class(device, runtime=runtime, placement=where)
            self._classes[device.id, runtime, where] = klass
        version, lowering = device.facts[f"runtime.{runtime}"], lowering_for(device.facts, variant, part)
        known = (variant.key, part, klass.key, str(version), lowering)
        if known not in self._builds:
            self._builds[known] = build_for(variant, device, part)
        return self._builds[known]


def bound_bench(
    first: Variant, *second: Variant, device: Device, builds: MutableMapping[str, PlannedBuild], cache: BuildCache
) -> PlannedBench:
    """A variant on a device: one subject per part of its placement, and the engine of each joins `builds`. With a
    second variant: the two in turns.
    """
    subjects = []
    for variant in (first, *second):
        for part in Placement(variant.placement).parts:
            build = cache.build_for(variant, device, part)
            builds.setdefault(build.engine_key, build)
            subjects.append(PlannedSubject(part, build.engine_key, variant.key if second else ""))
    return PlannedBench(first.key, device.id, tuple(subjects), **_manner((first, *second), subjects))


def build_for(variant: Variant, device: Device, placement: str | None = None) -> PlannedBuild:
    """The engine that a variant needs on one part of its placement, under the device's facts of now.

    `inability` was asked before. Without `placement`: the variant's own, if that is one part.
    """
    part = variant.placement if placement is None else placement
    where = Placement(part).engine
    lowering = lowering_for(device.facts, variant, part)
    recipe = Recipe(
        runtime=variant.runtime,
        runtime_version=str(device.facts[f"runtime.{variant.runtime}"]),
        precision=variant.precision,
        lowering=lowering,
        placement=where,
        inputs=tuple(map(_built_input, variant.inputs)),
        artifacts=build_artifacts(variant.artifacts, variant.precision, lowering, placement=where),
        options=build_options(variant.options, runtime=variant.runtime, placement=where),
        repeat=variant.repeat,
    )
    klass = device_class(device, runtime=variant.runtime, placement=where)
    return PlannedBuild(engine_key(recipe, klass), recipe, klass)


def _built_input(spec: TensorSpec) -> TensorSpec:
    """The shapes that an engine takes, whichever of them is measured; a range of one shape is that shape."""
    if spec.range is None:
        return spec
    static = spec.range.min == spec.range.max
    return TensorSpec(spec.name, spec.dtype, spec.range.opt, None if static else spec.range)


def _check_variants(variants: Sequence[Variant]) -> None:
    if not variants:
        raise BadInput("the job has no variants", expected="at least one point of the matrix")
    for key, count in Counter(variant.key for variant in variants).items():
        if count > 1:
            raise BadInput(f"{count} variants have the key {key!r}", expected="a key of its own for each variant")
    for variant in variants:
        check_names(variant)
        if not Placement(variant.placement).is_valid:
            raise BadInput(
                f"{variant.placement!r} is not a placement", where=variant.key, expected="cpu, gpu, dla0, gpu+dla0, ..."
            )


def _able_devices(
    group: Sequence[Variant], target: Target, devices: Sequence[Device], notes: PlanNotes
) -> list[Device]:
    """Those that can run all of the group."""
    able = [_able_to_run(variant, target, devices, notes) for variant in group]
    both = [device for device in able[0] if all(device in others for others in able[1:])]
    if not both:
        names = [" and ".join(device.name for device in some) for some in able]
        raise NoDevice(
            f"no device that matches target '{target}' can run both of {pair_name(group)}",
            expected="one device for both: they are timed in turns",
            hint="; ".join(f"{variant.key} runs on {some}" for variant, some in zip(group, names, strict=True)),
        )
    return both


def _able_to_run(variant: Variant, target: Target, devices: Sequence[Device], notes: PlanNotes) -> list[Device]:
    matching = [device for device in devices if not unmet(target.conditions, device)]
    if not matching:
        raise NoDevice(
            f"no registered device matches target '{target}'",
            expected=f"a device with {' and '.join(map(str, target.conditions)) or 'any facts'}",
            hint=f"{nearest_miss(target.conditions, devices)}; `controller devices list` shows all",
        )
    able = []
    for device in matching:
        reason = inability(variant.runtime, variant.placement, device.facts, variant)
        if reason:
            notes.left_out(device.name, variant.key, reason)
        else:
            able.append(device)
            notes.warn(device.name, variant.key, warning(variant, device.facts))
    if not able:
        nearest = matching[0]
        reason = inability(variant.runtime, variant.placement, nearest.facts, variant)
        way_out = "" if f"runtime.{variant.runtime}" in nearest.facts else "; `agent doctor` there says why"
        raise NoDevice(
            f"no device that matches target '{target}' can run {variant.key}",
            expected=f"a device with runtime.{variant.runtime}, and {variant.placement} to place it on",
            hint=f"nearest: {nearest.name} ({shown(nearest.facts.get('arch'))}), but {reason}{way_out}",
        )
    return able
