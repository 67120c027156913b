"""Which devices of a target can run something, and the error that says what it would take where none can. Pure."""

from collections.abc import Sequence

from controller.core.ability import inability, warning
from controller.core.notes import PlanNotes
from controller.core.select import nearest_miss, unmet
from controller.core.sensing import lacking, sensed_by
from controller.model.facts import shown
from controller.model.interleaved import Pair
from controller.model.job import Condition, Measure, Target, Variant
from controller.model.task import Device
from jetfleet.board_settings import CLOCKS, POWER_MODE
from jetfleet.errors import NoDevice


def able_devices(
    group: Sequence[Variant], target: Target, devices: Sequence[Device], measure: Measure, notes: PlanNotes
) -> list[Device]:
    """Those that can run all of the group. Raises NoDevice, naming the nearest miss, where there is none."""
    able = [_able_to_run(variant, target, devices, measure, notes) for variant in group]
    both = [device for device in able[0] if all(device in others for others in able[1:])]
    if not both:
        names = [" and ".join(device.name for device in some) for some in able]
        raise NoDevice(
            f"no device that matches target '{target}' can run both of {pair_name(group)}",
            expected="one device for both: they are timed in turns",
            hint="; ".join(f"{variant.key} runs on {some}" for variant, some in zip(group, names, strict=True)),
        )
    return both


def pair_name(group: Sequence[Variant]) -> str:
    base, candidate = group
    return Pair(base.key, candidate.key).name


def claim_conditions(
    group: Sequence[Variant], target: Target, devices: Sequence[Device], measure: Measure
) -> tuple[Condition, ...]:
    """Of an `any` target: its own, and what some of the devices are known to lack for this way to measure."""
    lack = any(lacking(measure, variant, device.facts) for variant in group for device in devices)
    wanted = [item for variant in group for item in sensed_by(measure, variant)] if lack else []
    return (*target.conditions, *dict.fromkeys(wanted))


def _able_to_run(
    variant: Variant, target: Target, devices: Sequence[Device], measure: Measure, notes: PlanNotes
) -> list[Device]:
    matching = [device for device in devices if not unmet(target.conditions, device)]
    if not matching:
        raise NoDevice(
            f"no registered device matches target '{target}'",
            expected=f"a device with {' and '.join(map(str, target.conditions)) or 'any facts'}",
            hint=f"{nearest_miss(target.conditions, devices)}; `controller devices list` shows all",
        )
    able = []
    for device in matching:
        reason = _refusal(variant, measure, device)
        if reason:
            notes.left_out(device.name, variant.key, reason)
        else:
            able.append(device)
            notes.warn(device.name, variant.key, warning(variant, device.facts))
    if not able:
        nearest = matching[0]
        reason = _refusal(variant, measure, nearest)
        way_out = "" if f"runtime.{variant.runtime}" in nearest.facts else "; `agent doctor` there says why"
        raise NoDevice(
            f"no device that matches target '{target}' can run {variant.key}",
            expected=f"a device with {what_it_takes(variant, measure)}",
            hint=f"nearest: {nearest.name} ({shown(nearest.facts.get('arch'))}), but {reason}{way_out}",
        )
    return able


def _refusal(variant: Variant, measure: Measure, device: Device) -> str:
    found = inability(variant.runtime, variant.placement, device.facts, variant)
    return found or lacking(measure, variant, device.facts)


def what_it_takes(variant: Variant, measure: Measure) -> str:
    """All that a variant asks of a device, in words."""
    parts = [f"runtime.{variant.runtime}", f"{variant.placement} to place it on"]
    if mode := variant.settings.get(POWER_MODE):
        parts.append(f"power mode {mode} in force or set by its helper")
    if CLOCKS in variant.settings:
        parts.append("clocks that its helper can lock")
    if sensed_by(measure, variant):
        parts.append("a thermal zone that can be read")
    if variant.pipeline is not None:
        parts.append("the image library")
    if variant.callables:
        parts.append(f"leave to run {', '.join(item.name for item in variant.callables)}")
    return f"{', '.join(parts[:-1])}, and {parts[-1]}"
