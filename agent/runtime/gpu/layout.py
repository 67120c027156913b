"""How a tensor lies in memory where that is not row by row: to the form that an engine reads, and back. Pure.

An engine that may not use the GPU converts nothing itself, so that the host does, before and after it is timed.
"""

from dataclasses import dataclass

import numpy as np

from agent.runtime.arrays import Tensor


@dataclass(frozen=True)
class TensorLayout:
    """A C array of another shape. `vector` values of dimension `axis` lie side by side (TensorRT's CHW16 and CHW32);
    a row is rounded up to a multiple of `row` values (its DLA_LINEAR). What is added is 0."""

    vector: int = 1
    axis: int = 0
    row: int = 1

    def stored_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        sizes = self._padded(shape)
        if self.vector == 1:
            return sizes
        return (*sizes[: self.axis], sizes[self.axis] // self.vector, *sizes[self.axis + 1 :], self.vector)

    def pack(self, array: Tensor) -> Tensor:
        sizes = self._padded(array.shape)
        padded = np.pad(array, [(0, size - had) for size, had in zip(sizes, array.shape, strict=True)])
        if self.vector == 1:
            return padded
        split = padded.reshape(
            *sizes[: self.axis], sizes[self.axis] // self.vector, self.vector, *sizes[self.axis + 1 :]
        )
        return np.ascontiguousarray(np.moveaxis(split, self.axis + 1, -1))

    def unpack(self, stored: Tensor, shape: tuple[int, ...]) -> Tensor:
        """What lies in `stored`, as a tensor of `shape`."""
        array = stored
        if self.vector > 1:
            array = np.moveaxis(stored, -1, self.axis + 1).reshape(self._padded(shape))
        return np.ascontiguousarray(array[tuple(slice(size) for size in shape)])

    def _padded(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        sizes = list(shape)
        sizes[self.axis] = _up(sizes[self.axis], self.vector)
        sizes[-1] = _up(sizes[-1], self.row)
        return tuple(sizes)


def _up(size: int, step: int) -> int:
    return -(-size // step) * step
