"""What the GPU session runs: an engine with its inputs and outputs, whichever runtime made it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from agent.runtime.arrays import Tensor
from agent.runtime.gpu.layout import TensorLayout
from jetfleet.errors import BadInput


@dataclass(frozen=True)
class Slot:
    """An input or output of an engine; numpy's name of its type, no dimension unknown.

    `given`: in which type its values come and go, where that is not the engine's; empty: in the engine's.
    `layout`: how it lies in memory; None: row by row.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    given: str = ""
    layout: TensorLayout | None = None

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Of the C array that lies in memory."""
        return self.layout.stored_shape(self.shape) if self.layout else self.shape

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.stored_shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    def stored(self, array: Tensor) -> Tensor:
        return self.layout.pack(array.astype(self.dtype)) if self.layout else array

    def read(self, stored: Tensor) -> Tensor:
        """A copy, row by row."""
        array: Tensor = self.layout.unpack(stored, self.shape) if self.layout else stored
        return array.astype(self.given or self.dtype)


class GpuEngine(Protocol):
    """An engine on the device that reads and writes memory which is not its own."""

    @property
    def inputs(self) -> Sequence[Slot]: ...

    @property
    def outputs(self) -> Sequence[Slot]: ...

    def bind(self, name: str, pointer: int) -> None:
        """Where an input or output lies, by the device's address; once, before the first enqueue."""

    def enqueue(self, stream: int) -> None:
        """Puts one inference on a stream, given by its handle, and does not wait. Raises DeviceFault, MemoryError."""

    def describe(self) -> dict[str, str]:
        """What decides its speed, for the environment record."""

    def close(self) -> None:
        """Gives its memory back; called while the context is still current."""


def check_input(slot: Slot, array: Tensor) -> None:
    """Raises BadInput for an array that the slot cannot take."""
    wanted = slot.given or slot.dtype
    if array.shape != slot.shape or array.dtype != np.dtype(wanted):
        raise BadInput(
            f"input {slot.name!r} is {array.dtype}{list(array.shape)}", expected=f"{wanted}{list(slot.shape)}"
        )
    if slot.given and not _holds(slot, array):
        raise BadInput(f"input {slot.name!r} holds values that the engine's {slot.dtype} cannot", where="inputs")


def _holds(slot: Slot, array: Tensor) -> bool:
    """Whether the engine's type does. A layout of its own comes with half precision, which rounds."""
    with np.errstate(over="ignore"):
        narrowed = array.astype(slot.dtype)
    if slot.layout is None:
        return np.array_equal(narrowed, array)
    return np.array_equal(np.isfinite(narrowed), np.isfinite(array))
