"""What the reference run showed of a graph's float tensors: what half precision is held against. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

LARGEST = 65504.0  # the largest finite number of half precision
SMALLEST = 6.104e-05  # the smallest number of half precision that has all its bits
NEAR = LARGEST / 2  # other inputs than the reference's may well be twice as large


@dataclass(frozen=True)
class SeenValues:
    """By tensor: its largest finite |x|; the largest sum that may occur inside of the operator that makes it.

    `masked`: tensors of which some row that a Softmax normalises lies far below 0 as a whole, and its maximum.
    """

    largest: Mapping[str, float] = field(default_factory=dict)
    sums: Mapping[str, float] = field(default_factory=dict)
    masked: Mapping[str, float] = field(default_factory=dict)

    def beyond_half(self) -> list[str]:
        """What of it decides a lowered graph, sorted."""
        sizes = [name for name, largest in self.largest.items() if largest > NEAR or 0 < largest < SMALLEST]
        sums = [f"{name} adds up" for name, largest in self.sums.items() if largest > NEAR]
        return sorted([*sizes, *sums, *(f"{name} is masked" for name in self.masked)])
