"""What the reference run showed of a graph's float tensors: what half precision is held against. Pure."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

LARGEST = 65504.0  # the largest finite number of half precision
SMALLEST = 6.104e-05  # the smallest number of half precision that has all its bits
NEAR = LARGEST / 2  # other inputs than the reference's may well be twice as large
BITS_LOST = 32  # a difference that is so much smaller than what it is made of has lost 5 of half's 11 bits


@dataclass(frozen=True)
class Difference:
    """What is left, and the size of the numbers that it is the difference of."""

    left: float
    of: float


@dataclass(frozen=True)
class SeenValues:
    """By tensor: its largest finite |x|; the largest sum that may occur inside of the operator that makes it.

    `masked`: tensors of which some row that a Softmax normalises lies far below 0 as a whole, and its maximum.
    `differences`: tensors that are little beside the numbers that they are a difference of.
    """

    largest: Mapping[str, float] = field(default_factory=dict)
    sums: Mapping[str, float] = field(default_factory=dict)
    masked: Mapping[str, float] = field(default_factory=dict)
    differences: Mapping[str, Difference] = field(default_factory=dict)

    def beyond_half(self) -> list[str]:
        """What of it decides a lowered graph, sorted."""
        sizes = [name for name, largest in self.largest.items() if largest > NEAR or 0 < largest < SMALLEST]
        sums = [f"{name} adds up" for name, largest in self.sums.items() if largest > NEAR]
        masked = [f"{name} is masked" for name in self.masked]
        return sorted([*sizes, *sums, *masked, *self._differences()])

    def _differences(self) -> Iterator[str]:
        for name, found in self.differences.items():
            for left in (found.left, math.sqrt(found.left)):
                larger = sorted(item for item, largest in self.largest.items() if largest > left * BITS_LOST)
                yield f"{name} is a difference of {', '.join(larger)}"
