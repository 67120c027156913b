"""Calibration data on its way to TensorRT's INT8 calibrator (8.x and 10.x): checked, batched, put on the device."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from agent.runtime.arrays import Tensor
from agent.runtime.gpu.cuda import Cuda
from agent.runtime.tensorrt.log import implement
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import TensorSpec

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Samples:
    """Arrays by input with the samples along their first axis. `axes`: where an input has its batch; None: nowhere."""

    arrays: Mapping[str, Tensor]
    axes: Mapping[str, int | None]
    batch: int

    def batches(self) -> Iterator[dict[str, Tensor]]:
        """Whole batches; the samples that fill none are left out."""
        count = min(len(array) for array in self.arrays.values()) // self.batch
        for first in range(0, count * self.batch, self.batch):
            yield {name: self._cut(name, first) for name in self.arrays}

    def _cut(self, name: str, first: int) -> Tensor:
        axis, array = self.axes[name], self.arrays[name]
        if axis is None:
            return np.ascontiguousarray(array[first])
        return np.ascontiguousarray(np.moveaxis(array[first : first + self.batch], 0, axis))


def check_samples(arrays: Mapping[str, Tensor], inputs: Iterable[TensorSpec]) -> Samples:
    """One sample is an input less its batch dimension, or the whole of an input that has none.

    Raises BadInput naming tensor, what was given and what was expected.
    """
    specs = {spec.name: spec for spec in inputs}
    if set(arrays) != set(specs):
        raise BadInput(f"calibration data for {sorted(arrays)}", where="calibration", expected=str(sorted(specs)))
    axes: dict[str, int | None] = {}
    for name, spec in specs.items():
        array, shape = arrays[name], tuple(spec.shape)
        cuts = {shape[:axis] + shape[axis + 1 :]: axis for axis in reversed(range(len(shape)))}
        if array.dtype != np.dtype(spec.dtype) or (array.shape[1:] != shape and array.shape[1:] not in cuts):
            raise BadInput(
                f"calibration data for {name!r} is {array.dtype}{list(array.shape)}",
                where="calibration",
                expected=f"{spec.dtype}[samples, {', '.join(map(str, shape[1:]))}]",
            )
        axes[name] = cuts.get(array.shape[1:]) if array.shape[1:] != shape else None
    batch = _batch(specs, axes)
    fewest = min(len(array) for array in arrays.values())
    if fewest < batch:
        raise BadInput(
            f"calibration data holds {fewest} samples", where="calibration", expected=f"{batch} or more: one batch"
        )
    return Samples(arrays, axes, batch)


def _batch(specs: Mapping[str, TensorSpec], axes: Mapping[str, int | None]) -> int:
    sizes = {specs[name].shape[axis] for name, axis in axes.items() if axis is not None}
    if len(sizes) > 1:
        raise BadInput(f"the inputs have batches of {sorted(sizes)}", where="calibration", expected="one batch for all")
    return int(sizes.pop()) if sizes else 1


class Calibrator:
    """An IInt8EntropyCalibrator2's methods. TensorRT swallows what they raise, so `error` keeps it."""

    def __init__(self, samples: Samples, upload: Callable[[Mapping[str, Tensor]], Mapping[str, int]]) -> None:
        self._size, self._batches, self._upload = samples.batch, samples.batches(), upload
        self.error: Exception | None = None
        self.cache = b""
        self.used = 0  # batches

    def get_batch_size(self) -> int:
        return self._size

    def get_batch(self, names: "list[str]") -> "list[int] | None":
        try:
            batch = next(self._batches, None)
            if batch is None:
                return None
            pointers = self._upload(batch)
            self.used += 1
            return [pointers[name] for name in names]
        except Exception as error:
            log.exception("calibration ended early")
            self.error = error
            return None

    def read_calibration_cache(self) -> None:
        """None: ranges belong to one model and its data, and are found anew for each engine."""

    def write_calibration_cache(self, cache: Any) -> None:
        self.cache = bytes(cache)


class Uploader:
    """Copies batches to buffers on the device, one an input, taken once."""

    def __init__(self, cuda: Cuda) -> None:
        self._cuda, self._stream = cuda, cuda.stream()
        self._slots: dict[str, tuple[Tensor, Any]] = {}

    def __call__(self, batch: Mapping[str, Tensor]) -> dict[str, int]:
        for name, array in batch.items():
            if name not in self._slots:
                pinned = self._cuda.pinned(array.shape, str(array.dtype))
                self._slots[name] = (pinned, self._cuda.device(array.nbytes))
            pinned, buffer = self._slots[name]
            np.copyto(pinned, array)
            self._cuda.copy_in(buffer, pinned, self._stream)
        self._stream.synchronize()
        return {name: buffer.pointer for name, (_, buffer) in self._slots.items()}

    def close(self) -> None:
        for _, buffer in self._slots.values():
            buffer.free()
        self._slots.clear()


def make_calibrator(trt: ModuleType, calibrator: Calibrator) -> Any:
    """None on a TensorRT that calibrates no more (11.x)."""
    interface = getattr(trt, "IInt8EntropyCalibrator2", None)
    if interface is None:
        return None
    names = ("get_batch_size", "get_batch", "read_calibration_cache", "write_calibration_cache")
    return implement(interface, calibrator, names)
