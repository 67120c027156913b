"""How much a device's numbers move when nothing is changed, level by level."""

from dataclasses import dataclass

from controller.model.comparison import NoiseFloor
from controller.model.result import Provenance


@dataclass(frozen=True)
class NoiseLevel:
    """`deviation` is relative, 0.01 is 1 %, and of one value of the level; None: nothing was repeated there."""

    name: str  # round, run, bench
    meaning: str
    values: int  # how many were looked at
    things: int  # of how many different things
    deviation: float | None
    limit: float | None  # two of them differ by more in 1 % of cases

    @property
    def freedom(self) -> int:
        return self.values - self.things


@dataclass(frozen=True)
class DeviceNoise:
    device: str
    provenance: Provenance
    metric: str
    levels: tuple[NoiseLevel, ...]
    floor: NoiseFloor  # what a comparison of two benches of several runs would reckon with
    flagged: int = 0  # rows of the levels that are not VALID, for the machine's noise
    left_out: int = 0  # rows with something else against them
