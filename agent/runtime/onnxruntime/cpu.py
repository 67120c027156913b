"""A session of ONNX Runtime's CPU provider: inputs and outputs bound to buffers made beforehand."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime

from agent.runtime.arrays import Tensor
from agent.runtime.base import RoundRecord
from agent.runtime.onnxruntime.graph import NUMPY, has_fixed_shape
from agent.runtime.onnxruntime.options import describe_options, raise_if_out_of_memory
from agent.runtime.waiting import clock_ns, wait_until
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import TensorSpec


class OnnxSession:
    """A loaded graph. Outputs whose shape depends on the data are left to ONNX Runtime's allocator."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        options: onnxruntime.SessionOptions,
        inputs: Sequence[TensorSpec],
    ) -> None:
        self._session = session
        self._options = options
        self._specs = inputs
        self._binding = session.io_binding()
        self._inputs: dict[str, onnxruntime.OrtValue] = {}
        for spec in inputs:
            self._inputs[spec.name] = _empty(spec.shape, spec.dtype)
            self._binding.bind_ortvalue_input(spec.name, self._inputs[spec.name])
        self._outputs = [item.name for item in session.get_outputs()]
        self._shaped_by_data: list[str] = []
        for item in session.get_outputs():
            if has_fixed_shape(item):
                self._binding.bind_ortvalue_output(item.name, _empty(item.shape, NUMPY[item.type]))
            else:
                self._shaped_by_data.append(item.name)
        # Outputs come back in the order in which they were first bound.
        self._bound = [name for name in self._outputs if name not in self._shaped_by_data] + self._shaped_by_data

    clock, wait_until = staticmethod(clock_ns), staticmethod(wait_until)

    def another(self) -> "OnnxSession":
        """Over the same graph, weights and pool of threads, which ONNX Runtime lets several threads run at a time."""
        return OnnxSession(self._session, self._options, self._specs)

    def bind(self, inputs: Mapping[str, Tensor]) -> None:
        missing = sorted(set(self._inputs) - set(inputs))
        if missing:
            raise BadInput(f"no value for input {', '.join(missing)}")
        for name, value in self._inputs.items():
            array = inputs[name]
            slot = value.numpy()
            if slot.shape != array.shape or slot.dtype != array.dtype:
                raise BadInput(
                    f"input {name!r} is {array.dtype}{list(array.shape)}", expected=f"{slot.dtype}{list(slot.shape)}"
                )
            value.update_inplace(np.ascontiguousarray(array))
        for name in self._shaped_by_data:  # what ORT made for the last inputs may not fit these
            self._binding.bind_output(name, "cpu")

    def infer(self) -> None:
        try:
            self._session.run_with_iobinding(self._binding)
        except RuntimeError as error:
            raise_if_out_of_memory(error)
            raise

    def outputs(self) -> dict[str, Tensor]:
        values = self._binding.get_outputs()
        by_name = dict(zip(self._bound, values, strict=True))
        return {name: np.array(by_name[name].numpy()) for name in self._outputs}

    def prepare(self, count: int) -> None:
        """Nothing to take: the host clock is the only one."""

    def collect(self) -> RoundRecord:
        return RoundRecord()

    def describe(self) -> dict[str, str]:
        return {"providers": ",".join(self._session.get_providers()), **describe_options(self._options)}

    def close(self) -> None:
        del self._binding, self._session


def _empty(shape: Sequence[int], dtype: str) -> onnxruntime.OrtValue:
    """A buffer from ORT's own allocator: the same alignment, and so the same speed, in every process."""
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(shape), np.dtype(dtype).type, "cpu")
