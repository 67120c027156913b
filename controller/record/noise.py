"""The noise of a device as data: what stands under `noise`."""

from typing import Any

from controller.model.noise import DeviceNoise, NoiseLevel


def noise_record(noise: DeviceNoise) -> dict[str, Any]:
    return {
        "device": noise.device,
        "provenance": noise.provenance.value,
        "metric": noise.metric,
        "levels": [_level_record(level) for level in noise.levels],
        "noise_floor": noise.floor.share,
        "noise_floor_source": noise.floor.source,
        "flagged": noise.flagged,
        "left_out": noise.left_out,
    }


def _level_record(level: NoiseLevel) -> dict[str, Any]:
    return {
        "level": level.name,
        "meaning": level.meaning,
        "values": level.values,
        "things": level.things,
        "deviation": level.deviation,
        "limit": level.limit,
    }
