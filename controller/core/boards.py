"""Which boards an engine of a plan is for, as people name them: `orin-nano-8gb, L4T 36.4.3: 2`. Pure."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from controller.model.facts import shown
from controller.model.task import Device, Plan

_NAMES = ("sku", "module", "gpu", "cpu_model", "arch")  # the most telling first


def boards_by_engine(made: Plan, devices: Sequence[Device]) -> Mapping[str, str]:
    """By engine key; engines of variants that any device may take have none yet."""
    known = {device.id: device for device in devices}
    wanted: dict[str, dict[str, None]] = defaultdict(dict)
    for bench in made.benches:
        for subject in bench.subjects:
            if subject.engine_key and bench.device_id in known:
                wanted[subject.engine_key][str(bench.device_id)] = None
    return {key: _told([known[device_id] for device_id in ids]) for key, ids in wanted.items()}


def _told(devices: Sequence[Device]) -> str:
    count = Counter(_name(device) for device in devices)
    return "; ".join(f"{name}: {number}" for name, number in count.items())


def _name(device: Device) -> str:
    name = next((shown(device.facts[key]) for key in _NAMES if key in device.facts), "unknown")
    return f"{name}, L4T {device.facts['l4t']}" if "l4t" in device.facts else name
