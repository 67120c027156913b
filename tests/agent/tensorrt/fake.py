"""A made-up TensorRT of any version from 8.6 on: what its bindings have by name, and a builder that does as it is told.

It builds nothing. It stands in where no TensorRT can be had that builds without a GPU: weak typing, calibration, timing
caches, DLA. That the names are the right ones is proven elsewhere, against the released bindings.
"""

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

from tests.agent.tensorrt.fake_cache import FakeCache, FakeCacheWithKeys
from tests.agent.tensorrt.fake_gpu import BoardCuda
from tests.agent.tensorrt.fake_runtime import FakeRuntime


class Member:
    """Of an enumeration of the bindings."""

    def __init__(self, name: str, value: int) -> None:
        self.name, self.value = name, value

    def __int__(self) -> int:
        return self.value


def members(*names: str) -> SimpleNamespace:
    return SimpleNamespace(**{name: Member(name, value) for value, name in enumerate(names)})


SEVERITIES = members("INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE")
TYPES = members("FLOAT", "HALF", "INT8", "INT32", "BOOL", "UINT8", "INT64", "BF16")


@dataclass
class Board:
    """What the made-up TensorRT finds and says, and what was asked of it."""

    version: tuple[int, ...] = (10, 3, 0)
    cuda: "BoardCuda | None" = None
    dla_cores: int = 0
    inputs: list[tuple[str, tuple[int, ...]]] = field(default_factory=lambda: [("x", (2, 3))])
    input_type: str = "FLOAT"
    output_type: str = "FLOAT"
    output_shape: tuple[int, ...] = ()  # the input's
    layers: list[tuple[str, str, bool]] = field(default_factory=list)  # name, type, whether a DLA takes it
    wires: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)  # of a layer, else it is in a row
    layer_words: dict[str, str] = field(default_factory=dict)  # what can_run_on_DLA says of a layer
    says: list[tuple[str, str]] = field(default_factory=list)  # while it builds: severity, message
    records: list[str] = field(default_factory=list)  # errors for the recorder alone
    parser_errors: list[Any] = field(default_factory=list)
    plan: "bytes | None" = b"a plan"
    caches_refused: bool = False
    layers_json: str = '{"Layers": ["a layer"]}'
    form: str = ""  # of inputs and outputs in memory; empty: row by row, or CHW16 where it may choose
    strides: "tuple[int, ...] | None" = None  # of both; as documented
    plan_words: str = ""  # deserialising fails with them
    load_warning: str = ""
    profile: "tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]] | None" = None
    refuses: str = ""  # which call of the context fails
    dead: str = ""  # no builder and no runtime is made, with these words
    pool_bounds: dict[str, int] = field(default_factory=dict)  # beyond them a limit stays as it was
    # What was asked of it.
    creation_flags: "int | None" = None
    flags: set[str] = field(default_factory=lambda: {"TF32"})
    parser_flags: set[str] = field(default_factory=set)
    pools: dict[str, int] = field(default_factory=dict)
    profiles: list[Any] = field(default_factory=list)
    config: Any = None
    network: Any = None
    calibrated: list[Any] = field(default_factory=list)  # the arrays of each batch
    runtimes: list[Any] = field(default_factory=list)
    builder: "Callable[[], Any]" = lambda: None  # a weak reference

    @property
    def weak(self) -> bool:
        return self.version < (11,)


class FakeTensor:
    is_shape_tensor = False
    allowed_formats = 0

    def __init__(self, name: str, shape: tuple[int, ...], dtype: Member, *, given: bool = False) -> None:
        self.name, self.shape, self.dtype = name, shape, dtype
        self.is_network_input, self.is_network_output = given, name == "y"

    def get_dimension_name(self, index: int) -> None:
        return None


class FakeNetwork:
    def __init__(self, board: Board) -> None:
        dtype = getattr(TYPES, board.input_type)
        self._inputs = [FakeTensor(name, shape, dtype, given=True) for name, shape in board.inputs]
        self._tensors = {tensor.name: tensor for tensor in self._inputs}
        self._layers: list[FakeLayer] = []
        row = board.inputs[0][0]
        for name, kind, _ in board.layers:
            ends = "y" if name == board.layers[-1][0] else f"{name}:0"
            reads, makes = board.wires.get(name, ([row], [ends]))
            row = makes[0]
            self._layers.append(FakeLayer(name, kind, self._made(reads, dtype), self._made(makes, dtype)))
        self._outputs = [FakeTensor("y", board.output_shape or board.inputs[0][1], getattr(TYPES, board.output_type))]
        self.num_inputs, self.num_layers, self.num_outputs = len(self._inputs), len(self._layers), 1

    def get_input(self, index: int) -> FakeTensor:
        return self._inputs[index]

    def get_output(self, index: int) -> FakeTensor:
        return self._outputs[index]

    def get_layer(self, index: int) -> "FakeLayer":
        return self._layers[index]

    def _made(self, names: list[str], dtype: Member) -> list[FakeTensor]:
        shape = self._inputs[0].shape
        return [self._tensors.setdefault(name, FakeTensor(name, shape, dtype)) for name in names]


class FakeLayer:
    def __init__(self, name: str, kind: str, reads: list[FakeTensor], makes: list[FakeTensor]) -> None:
        self.name, self.type = name, Member(kind, 0)
        self.num_inputs, self.num_outputs = len(reads), len(makes)
        self.get_input, self.get_output = reads.__getitem__, makes.__getitem__


class FakeProfile:
    def __init__(self) -> None:
        self.shapes: dict[str, tuple[Any, Any, Any]] = {}

    def set_shape(self, name: str, least: Any, opt: Any, most: Any) -> None:
        self.shapes[name] = (least, opt, most)


class FakeConfig:
    """Takes no attribute that its version does not have."""

    _ALWAYS = (
        *("builder_optimization_level", "avg_timing_iterations", "max_aux_streams", "hardware_compatibility_level"),
        *("DLA_core", "profiling_verbosity", "default_device_type", "board", "cache"),
    )

    def __init__(self, trt: "FakeTensorRt") -> None:
        self.board, self._trt = trt.board, trt

    def __setattr__(self, name: str, value: object) -> None:
        version = self.board.version if name not in ("board", "_trt") else (0,)
        known = name in self._ALWAYS or name == "_trt"
        known |= name == "progress_monitor" and version >= (10,)
        known |= name == "int8_calibrator" and version < (11,)
        if not known:
            raise AttributeError(name)
        super().__setattr__(name, value)

    def set_flag(self, flag: Member) -> None:
        self.board.flags.add(flag.name)

    def clear_flag(self, flag: Member) -> None:
        self.board.flags.discard(flag.name)

    def set_memory_pool_limit(self, pool: Member, limit: int) -> None:
        if limit <= self.board.pool_bounds.get(pool.name, limit):
            self.board.pools[pool.name] = limit
        else:
            self._trt.log("ERROR", f"the limit {limit} of pool {pool.name} is too large")

    def get_memory_pool_limit(self, pool: Member) -> int:
        return self.board.pools.get(pool.name, 1 << 20)

    def add_optimization_profile(self, profile: FakeProfile) -> int:
        self.board.profiles.append(profile)
        return 0

    def set_calibration_profile(self, profile: FakeProfile) -> bool:
        assert self.board.weak
        return profile in self.board.profiles

    def can_run_on_DLA(self, layer: Any) -> bool:
        assert getattr(self, "default_device_type", None) is not None, "asked before the device was set"
        if words := self.board.layer_words.get(layer.name):
            self._trt.log("WARNING", words)
        return next(takes for name, _, takes in self.board.layers if name == layer.name)

    def create_timing_cache(self, content: bytes) -> "FakeCache | None":
        kind = FakeCacheWithKeys if self.board.version >= (10, 13) else FakeCache
        if not content:
            return kind(self._trt.__version__, set())
        version, _, keys = content.decode(errors="replace").partition(":")
        return kind(version, set(keys.split(","))) if keys else None

    def set_timing_cache(self, cache: FakeCache, ignore_mismatch: bool) -> bool:
        assert ignore_mismatch is False
        self.cache = cache
        return not (self.board.caches_refused and cache.keys)

    def get_timing_cache(self) -> "FakeCache | None":
        return getattr(self, "cache", None)


class FakeBuilder:
    error_recorder: Any = None

    def __init__(self, trt: "FakeTensorRt") -> None:
        self._trt, self._board = trt, trt.board
        self.num_DLA_cores = trt.board.dla_cores
        trt.board.builder = weakref.ref(self)

    def create_network(self, flags: int) -> FakeNetwork:
        self._board.creation_flags = flags
        self._board.network = FakeNetwork(self._board)
        return self._board.network

    def create_builder_config(self) -> FakeConfig:
        self._board.config = FakeConfig(self._trt)
        return self._board.config

    def create_optimization_profile(self) -> FakeProfile:
        return FakeProfile()

    def build_serialized_network(self, network: FakeNetwork, config: FakeConfig) -> "memoryview | None":
        tensor = network.get_input(0)
        self._board.input_type = tensor.dtype.name
        if tensor.allowed_formats & 1 << int(self._trt.TensorFormat.CHW16):
            self._board.form = self._board.form or "CHW16"
        for severity, message in self._board.says:
            self._trt.log(severity, message)
        for message in self._board.records:
            self.error_recorder.report_error(Member("INTERNAL_ERROR", 2), message)
        self._calibrate(network, getattr(config, "int8_calibrator", None))
        cache = config.get_timing_cache()
        if cache is not None:
            cache.keys |= {"conv", "relu"}
        monitor = getattr(config, "progress_monitor", None)
        if monitor is not None:
            monitor.phase_start("Building engine", None, 2)
            if not (monitor.step_complete("Building engine", 0) and monitor.step_complete("Building engine", 1)):
                return None
            monitor.phase_finish("Building engine")
        return None if self._board.plan is None else memoryview(self._board.plan)

    def _calibrate(self, network: FakeNetwork, calibrator: Any) -> None:
        if calibrator is None:
            return
        assert calibrator.read_calibration_cache() is None
        names = [network.get_input(index).name for index in range(network.num_inputs)]
        while pointers := calibrator.get_batch(names):
            assert self._board.cuda is not None
            self._board.calibrated.append([self._board.cuda.copy_of(pointer) for pointer in pointers])
        calibrator.write_calibration_cache(memoryview(b"TRT-EntropyCalibration2\nx: 3c010a14\n"))


class FakeParser:
    def __init__(self, board: Board) -> None:
        self._board = board
        self.num_errors = len(board.parser_errors)

    def set_flag(self, flag: Member) -> None:
        self._board.parser_flags.add(flag.name)

    def parse_from_file(self, path: str) -> bool:
        return not self._board.parser_errors

    def get_error(self, index: int) -> Any:
        return self._board.parser_errors[index]


class _Interface:
    """A callback interface; without its own __init__ TensorRT crashes."""

    def __init__(self) -> None:
        self.alive = True


class FakeTensorRt(ModuleType):
    """The module: names that a version does not have are not there."""

    def __init__(self, board: Board) -> None:
        super().__init__("a made-up tensorrt")
        self.board = board
        self.registered: list[str] = []  # the namespaces of plugins
        self.__version__ = ".".join(map(str, board.version))
        self._logger: Any = None
        for name, value in self._names(board.version).items():
            setattr(self, name, value)

    def log(self, severity: str, message: str) -> None:
        self._logger.log(getattr(SEVERITIES, severity), message)

    def _start(self, logger: Any) -> "FakeTensorRt":
        assert logger.alive
        assert self.registered == [""], "its plugins are not there, or were registered twice"
        self._logger = logger
        if self.board.dead:
            self.log("ERROR", self.board.dead)
            raise TypeError("pybind11::init(): factory function returned nullptr")
        return self

    def _register(self, logger: Any, namespace: str) -> bool:
        assert logger.alive
        self.registered.append(namespace)
        return True

    def _names(self, version: tuple[int, ...]) -> dict[str, Any]:
        flags = ["GPU_FALLBACK", "REFIT", "TF32", "SPARSE_WEIGHTS", "VERSION_COMPATIBLE", "DIRECT_IO"]
        levels = ["NONE", "AMPERE_PLUS", *(["SAME_COMPUTE_CAPABILITY"] if version >= (10, 13) else [])]
        creation = ["EXPLICIT_BATCH"] if version < (11,) else []
        calibrates = {"int8_calibrator": None, "set_calibration_profile": None} if version < (11,) else {}
        names: dict[str, Any] = {
            "IBuilderConfig": SimpleNamespace(**calibrates),
            "BuilderFlag": members(*flags, *(("FP16", "INT8") if version < (11,) else ())),
            "NetworkDefinitionCreationFlag": members(*creation, *(["STRONGLY_TYPED"] if version >= (10,) else [])),
            "MemoryPoolType": members(
                "WORKSPACE", "TACTIC_DRAM", "DLA_MANAGED_SRAM", "DLA_LOCAL_DRAM", "DLA_GLOBAL_DRAM"
            ),
            "ProfilingVerbosity": members("LAYER_NAMES_ONLY", "NONE", "DETAILED"),
            "HardwareCompatibilityLevel": members(*levels),
            "DeviceType": members("GPU", "DLA"),
            "TensorFormat": members("LINEAR", "CHW2", "HWC8", "CHW4", "CHW16", "CHW32", "DLA_LINEAR"),
            "TensorIOMode": members("NONE", "INPUT", "OUTPUT"),
            "TensorLocation": members("DEVICE", "HOST"),
            "DataType": SimpleNamespace(
                **{k: v for k, v in vars(TYPES).items() if k not in ("INT64", "BF16") or version >= (10,)}
            ),
            "init_libnvinfer_plugins": self._register,
            "LayerInformationFormat": members("ONELINE", "JSON"),
            "OnnxParserFlag": members("NATIVE_INSTANCENORM", *(["ADJUST_FOR_DLA"] if version >= (10, 16) else [])),
            "Builder": lambda logger: FakeBuilder(self._start(logger)),
            "OnnxParser": lambda network, logger: FakeParser(self.board),
            "Runtime": lambda logger: FakeRuntime(self._start(logger)),
        }
        interfaces = ["ILogger", "IErrorRecorder", "IProfiler"]
        interfaces += ["IProgressMonitor"] if version >= (10,) else []
        interfaces += ["IInt8EntropyCalibrator2"] if version < (11,) else []
        return names | {name: type(name, (_Interface,), {}) for name in interfaces}
