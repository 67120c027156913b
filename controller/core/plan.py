"""From a job, the devices and the engines to tasks: a BUILD per engine key, a BENCH per variant and device. Pure.

Runs when a job is submitted, and again for one BENCH when its device's facts turn out to have changed.
"""

from collections import Counter
from collections.abc import Collection, MutableMapping, Sequence
from itertools import product
from typing import TypedDict

from controller.core.ability import lowering_for
from controller.core.able import able_devices, claim_conditions, pair_name
from controller.core.board_settings import check_names
from controller.core.keys import build_artifacts, device_class, engine_key
from controller.core.notes import PlanNotes
from controller.core.pairing import groups, unlike
from controller.model.job import Condition, JobSpec, Lowering, Quantifier, Target, TensorSpec, Variant
from controller.model.result import Schedule
from controller.model.task import Device, DeviceClass, Plan, PlannedBench, PlannedBuild, PlannedSubject, Recipe
from jetfleet.errors import BadInput, NoDevice
from jetfleet.options import build_options
from jetfleet.placement import Placement
from jetfleet.plural import counted

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
    for target, group in product(spec.targets or (_EVERY_DEVICE,), groups(spec)):
        able = [] if _is_refused(group, notes) else able_devices(group, target, present, spec.measure, notes)
        _warn_unlike(group, able, notes)
        if not able or target.quantifier is Quantifier.ANY:
            conditions = claim_conditions(group, target, present, spec.measure)
            found = [open_bench(*group, conditions=conditions)]
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


def _is_refused(group: Sequence[Variant], notes: PlanNotes) -> bool:
    """Whether a variant of the group has no graph: then nothing of it runs."""
    refused = [variant for variant in group if variant.refusal]
    for variant in refused:
        notes.refused(variant.key, variant.refusal)
    return bool(refused)


def _warn_unlike(group: Sequence[Variant], able: Sequence[Device], notes: PlanNotes) -> None:
    if len(group) > 1:
        for device in able:
            notes.warn(device.name, pair_name(group), unlike(*group))


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
            raise BadInput(
                f"{counted(count, 'variant')} have the key {key!r}", expected="a key of its own for each variant"
            )
    for variant in variants:
        check_names(variant)
        if not Placement(variant.placement).is_valid:
            raise BadInput(
                f"{variant.placement!r} is not a placement", where=variant.key, expected="cpu, gpu, dla0, gpu+dla0, ..."
            )
