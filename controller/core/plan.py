"""From a job, the devices and the engines to tasks: a BUILD per engine key, a BENCH per variant and device. Pure.

Runs when a job is submitted, and again for one BENCH when its device's facts turn out to have changed.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence

from controller.core.keys import build_artifacts, device_class, engine_key, lowering_for
from controller.core.select import nearest_miss, unmet
from controller.model.facts import Facts, shown
from controller.model.job import Condition, JobSpec, Quantifier, Target, Variant
from controller.model.task import Device, Plan, PlannedBench, PlannedBuild, PlannedSubject, Recipe
from jetfleet.errors import BadInput, NoDevice

_EVERY_DEVICE = Target(Quantifier.EVERY)
_PLACEMENT = re.compile(r"cpu|(gpu|dla[0-9])(\+(gpu|dla[0-9]))*")


def plan(spec: JobSpec, devices: Sequence[Device], known_engines: Collection[str]) -> Plan:
    """Everything a job needs, offline devices included; a job without targets means every device.

    `known_engines` are the keys that are built or being built. Raises NoDevice, naming the nearest miss, if a
    variant of a target has no device that could ever run it, and BadInput for variants that make no sense.
    """
    _check_variants(spec.variants)
    builds: dict[str, PlannedBuild] = {}
    benches: dict[tuple[str, str | None, tuple[Condition, ...]], PlannedBench] = {}
    notes: dict[str, None] = {}
    for target in spec.targets or (_EVERY_DEVICE,):
        for variant in spec.variants:
            able = _able_devices(variant, target, devices, notes)
            if target.quantifier is Quantifier.ANY:
                conditions = target.conditions
                subjects = (PlannedSubject(variant.placement),)
                benches[variant.key, None, conditions] = PlannedBench(variant.key, None, subjects, conditions)
                continue
            for device in able:
                build = build_for(variant, device)
                builds.setdefault(build.engine_key, build)
                subjects = (PlannedSubject(variant.placement, build.engine_key),)
                benches[variant.key, device.id, ()] = PlannedBench(variant.key, device.id, subjects)
    return Plan(
        builds=tuple(builds.values()),
        benches=tuple(benches.values()),
        reused=frozenset(builds) & frozenset(known_engines),
        notes=tuple(notes),
    )


def build_for(variant: Variant, device: Device) -> PlannedBuild:
    """The engine that a variant needs on a device, under the device's facts of now; `inability` was asked before."""
    lowering = lowering_for(device.facts, variant.runtime, variant.precision, variant.placement)
    recipe = Recipe(
        runtime=variant.runtime,
        runtime_version=str(device.facts[f"runtime.{variant.runtime}"]),
        precision=variant.precision,
        lowering=lowering,
        placement=variant.placement,
        inputs=variant.inputs,
        artifacts=build_artifacts(variant.artifacts, variant.precision, lowering),
        options=variant.options,
    )
    klass = device_class(device, runtime=variant.runtime, placement=variant.placement)
    return PlannedBuild(engine_key(recipe, klass), recipe, klass)


def inability(runtime: str, placement: str, facts: Facts) -> str:
    """Why a device with these facts cannot run this runtime there; empty if it can."""
    if f"runtime.{runtime}" not in facts:
        have = sorted(key.removeprefix("runtime.") for key in facts if key.startswith("runtime."))
        return f"it has no {runtime} (it has {', '.join(have) or 'no runtime'})"
    if runtime == "simulated":
        return ""
    if runtime == "onnxruntime" and placement != "cpu":
        return "its onnxruntime runs on the CPU only, in this version; tensorrt runs on a GPU"
    if "gpu" in placement and "gpu" not in facts:
        return "it has no GPU that its agent can see"
    cores = facts.get("dla_cores", 0)
    wanted = [int(part[3:]) for part in placement.split("+") if part.startswith("dla")]
    if wanted and max(wanted) >= int(str(cores)):
        return f"it has {cores} DLA cores"
    return ""


def _check_variants(variants: Sequence[Variant]) -> None:
    if not variants:
        raise BadInput("the job has no variants", expected="at least one point of the matrix")
    for key, count in Counter(variant.key for variant in variants).items():
        if count > 1:
            raise BadInput(f"{count} variants have the key {key!r}", expected="a key of its own for each variant")
    for variant in variants:
        if not _PLACEMENT.fullmatch(variant.placement):
            raise BadInput(
                f"{variant.placement!r} is not a placement", where=variant.key, expected="cpu, gpu, dla0, gpu+dla0, ..."
            )


def _able_devices(variant: Variant, target: Target, devices: Sequence[Device], notes: dict[str, None]) -> list[Device]:
    matching = [device for device in devices if not unmet(target.conditions, device)]
    if not matching:
        raise NoDevice(
            f"no registered device matches target '{target}'",
            expected=f"a device with {' and '.join(map(str, target.conditions)) or 'any facts'}",
            hint=f"{nearest_miss(target.conditions, devices)}; `controller devices list` shows all",
        )
    able = []
    for device in matching:
        reason = inability(variant.runtime, variant.placement, device.facts)
        if reason:
            notes[f"{device.name} is left out of {variant.key}: {reason}"] = None
        else:
            able.append(device)
    if not able:
        reason = inability(variant.runtime, variant.placement, matching[0].facts)
        raise NoDevice(
            f"no device that matches target '{target}' can run {variant.key}",
            expected=f"a device with runtime.{variant.runtime}, and {variant.placement} to place it on",
            hint=f"nearest: {matching[0].name}, but {reason} ({shown(matching[0].facts.get('arch'))})",
        )
    return able
