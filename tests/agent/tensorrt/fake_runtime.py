"""The made-up TensorRT's other half: an engine that doubles its input on the fake GPU, or does not load."""

import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tests.agent.tensorrt.fake import FakeTensorRt


class FakeRuntime:
    error_recorder: Any = None
    engine_host_code_allowed = False
    DLA_core = -1

    def __init__(self, trt: "FakeTensorRt") -> None:
        self._trt, self._board = trt, trt.board
        self.num_DLA_cores = trt.board.dla_cores
        trt.board.runtimes.append(self)
        self.beside_a_builder = trt.board.builder() is not None

    def deserialize_cuda_engine(self, plan: mmap.mmap) -> "FakeEngine | None":
        if self._board.plan_words or plan[:] != self._board.plan:
            self._trt.log("ERROR", self._board.plan_words or "magicTag does not match")
            return None
        if self._board.load_warning:
            self._trt.log("WARNING", self._board.load_warning)
        kind = FakeEngine if self._board.version >= (10, 1) else FakeEngine86
        return kind(self._trt)


class _Engine:
    num_io_tensors = 2
    num_layers = 7

    def __init__(self, trt: "FakeTensorRt") -> None:
        self._trt, self._board = trt, trt.board

    def get_tensor_name(self, index: int) -> str:
        return ("x", "y")[index]

    def get_tensor_mode(self, name: str) -> Any:
        return self._trt.TensorIOMode.INPUT if name == "x" else self._trt.TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> Any:
        from tests.agent.tensorrt.fake import TYPES

        return getattr(TYPES, self._board.input_type)

    def get_tensor_location(self, name: str) -> Any:
        return self._trt.TensorLocation.DEVICE

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._board.inputs[0][1]

    def get_tensor_format(self, name: str) -> Any:
        return getattr(self._trt.TensorFormat, self._board.form or "LINEAR")

    def get_tensor_format_desc(self, name: str) -> str:
        return f"a format like {self._board.form}"

    def get_tensor_components_per_element(self, name: str) -> int:
        return {"CHW16": 16, "CHW32": 32, "CHW4": 4, "HWC8": 8}.get(self._board.form, 1)

    def get_tensor_vectorized_dim(self, name: str) -> int:
        return len(self._board.inputs[0][1]) - 3

    def get_tensor_profile_shape(self, name: str, index: int) -> tuple[Any, Any, Any]:
        assert self._board.profile is not None
        assert (name, index) == ("x", 0)
        return self._board.profile

    def create_engine_inspector(self) -> "FakeInspector":
        return FakeInspector(self._trt)

    def create_execution_context(self) -> "FakeContext | None":
        if self._board.refuses == "create_execution_context":
            self._trt.log("ERROR", "Requested amount of GPU memory (8589934592 bytes) could not be allocated.")
            return None
        return FakeContext(self._trt)


class FakeEngine(_Engine):
    device_memory_size_v2 = 4096


class FakeEngine86(_Engine):
    device_memory_size = 2048


class FakeInspector:
    execution_context: Any = None

    def __init__(self, trt: "FakeTensorRt") -> None:
        self._trt = trt

    def get_engine_information(self, format: Any) -> str:
        assert format is self._trt.LayerInformationFormat.JSON
        return self._trt.board.layers_json


class FakeContext:
    """y = 2 x on the fake device, in two layers of 0.25 and 0.75 ms."""

    profiler: Any = None
    enqueue_emits_profile = True

    def __init__(self, trt: "FakeTensorRt") -> None:
        self._trt, self._board = trt, trt.board
        self._shape: tuple[int, ...] = ()
        self._at: dict[str, int] = {}

    def _allowed(self, call: str) -> bool:
        if self._board.refuses == call:
            self._trt.log("ERROR", f"{call} was told to fail")
        return self._board.refuses != call

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shape = shape
        return self._allowed("set_input_shape")

    def infer_shapes(self) -> list[str]:
        if self._board.refuses == "shape inference":
            raise RuntimeError("a shape was told to fail")
        return [] if self._allowed("infer_shapes") else ["x"]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, 3) if name == "y" and self._board.refuses == "output shape" else self._shape

    def get_tensor_strides(self, name: str) -> tuple[int, ...]:
        return self._board.strides or (0,) * len(self._shape)

    def set_tensor_address(self, name: str, pointer: int) -> bool:
        self._at[name] = pointer
        return self._allowed("set_tensor_address")

    def execute_async_v3(self, stream: int) -> bool:
        cuda = self._board.cuda
        assert cuda is not None
        assert stream == cuda.streams[-1].handle
        kind = {"FLOAT": np.float32, "HALF": np.float16}.get(self._board.input_type, np.int32)
        x, y = (cuda._memory[self._at[name]].reshape(-1).view(np.uint8).view(kind) for name in ("x", "y"))

        def work() -> None:
            np.copyto(y, 2 * x)

        cuda.streams[-1].put(1.0, work)
        return self._allowed("execute_async_v3")

    def report_to_profiler(self) -> bool:
        assert self.enqueue_emits_profile is False
        self.profiler.report_layer_time("conv", 0.25)
        self.profiler.report_layer_time("{ForeignNode[fc]}", 0.5)
        self.profiler.report_layer_time("{ForeignNode[fc]}", 0.25)
        return True
