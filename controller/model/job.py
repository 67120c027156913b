"""What a user asks for: variants of a model, on targets, measured in a way. Knows nothing of devices or tasks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from controller.model.interleaved import Pair, RegressionLimit
from jetfleet.pipeline.steps import Pipeline


class Precision(Enum):
    """The numeric type that really runs; fp32 means TF32 off."""

    FP32 = "fp32"
    TF32 = "tf32"
    FP16 = "fp16"
    INT8 = "int8"


class Lowering(Enum):
    """How a precision reaches the engine."""

    TYPED_GRAPH = "typed-graph"
    BUILDER_FLAGS = "builder-flags"


class Role(Enum):
    """What a file is to a task."""

    MODEL_FP32 = "model-fp32"
    MODEL_FP16 = "model-fp16"
    MODEL_QDQ = "model-qdq"
    MODEL_QDQ_DLA = "model-qdq-dla"
    MODEL_DATA = "model-data"
    CALIBRATION = "calibration"
    REFERENCE_INPUT = "reference-input"
    REFERENCE_OUTPUT = "reference-output"
    EVALUATION_INPUT = "evaluation-input"
    EVALUATION_LABELS = "evaluation-labels"
    ENGINE = "engine"
    SAMPLES = "samples"
    LOG = "log"
    ENVIRONMENT = "environment"
    TIMING_CACHE = "timing-cache"
    CALIBRATION_CACHE = "calibration-cache"
    LAYERS = "layers"
    LAYER_PROFILE = "layer-profile"
    TELEMETRY = "telemetry"
    FRAME = "frame"
    CALLABLE = "callable"
    TIMELINE = "timeline"


# External data of a lowered graph; data of any other name belongs to the FP32 graph. A variant may carry several
# graphs, and the files of an engine lie in one folder.
GRAPH_DATA = {
    Role.MODEL_FP16: "model-fp16.onnx.data",
    Role.MODEL_QDQ: "model-qdq.onnx.data",
    Role.MODEL_QDQ_DLA: "model-qdq-dla.onnx.data",
}
# What an engine is made from; the other roles only check or describe it.
BUILD_ROLES = frozenset({Role.MODEL_FP32, *GRAPH_DATA, Role.MODEL_DATA, Role.CALIBRATION})


@dataclass(frozen=True)
class Artifact:
    """A file by content. `name` is a tensor's or a file's name, by role; `sha256` is 64 lower-case hex digits."""

    role: Role
    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class ShapeRange:
    """The shapes of an input that an engine must take; `opt` is what the builder tunes for."""

    min: tuple[int, ...]
    opt: tuple[int, ...]
    max: tuple[int, ...]


@dataclass(frozen=True)
class TensorSpec:
    """An input with every dimension resolved; `dtype` is numpy's name. Without a range an engine takes `shape` only."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    range: ShapeRange | None = None


class CheckRule(Enum):
    CLOSE = "close"
    COSINE = "cosine"
    OFF = "off"
    SET = "set"


@dataclass(frozen=True)
class OutputSet:
    """Outputs that are columns of one set of rows, compared in any order."""

    outputs: tuple[str, ...]
    min_agreement: float = 1.0  # share of matched rows
    ties: bool = False  # of their scores, so that which rows are chosen says nothing


@dataclass(frozen=True)
class FoundSet:
    """A set of outputs that a model was found to have. `ties`: precisions in which its scores tie."""

    outputs: tuple[str, ...]
    ties: "tuple[Precision, ...]" = ()


@dataclass(frozen=True)
class OutputCheck:
    """Bounds on outputs against the reference (jetfleet/outputs); integers and sets use `min_agreement`.

    `outputs` holds the rules of single outputs; each of `sets` names outputs whose rows belong together.
    """

    rule: CheckRule
    rtol: float = 1e-3
    atol: float = 1e-4
    min_cosine: float = 0.999
    min_agreement: float = 1.0
    min_slice_cosine: float | None = None
    max_norm_error: float | None = None
    tolerance: int | None = None  # of integers; None: nothing was said
    outputs: "Mapping[str, OutputCheck]" = field(default_factory=dict)
    sets: tuple[OutputSet, ...] = ()


@dataclass(frozen=True)
class Workload:
    """What one inference does, counted in the FP32 graph; `tensor_bytes`: every tensor written once and read once."""

    flop: int
    weight_bytes: int
    tensor_bytes: int


@dataclass(frozen=True)
class AccuracyMetric:
    """A measure of how right answers are, by its name in jetfleet.metrics; `function` is a user's FILE.py:FUNCTION."""

    name: str
    function: str = ""


@dataclass(frozen=True)
class Variant:
    """One point of the matrix, with everything needed to build, check and evaluate it."""

    key: str
    runtime: str
    precision: Precision
    batch: int
    placement: str
    inputs: tuple[TensorSpec, ...]
    artifacts: tuple[Artifact, ...]
    check: OutputCheck
    options: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""  # why the workstation could not make its graph
    accuracy_output: str = ""  # holds the scores or labels of evaluation data
    weak_calibration: str = ""  # why the ranges of int8 are doubtful
    dims: Mapping[str, int] = field(default_factory=dict)  # sizes of the named dimensions that are axes
    settings: Mapping[str, str] = field(default_factory=dict)  # of the board, by the names of jetfleet.board_settings
    workload: Workload | None = None  # None: it could not be counted
    pipeline: Pipeline | None = None
    accuracy_metrics: tuple[AccuracyMetric, ...] = ()  # on the evaluation data; none: top-1
    repeat: int = 0  # which of several builds of the same engine it is made from

    @property
    def callables(self) -> tuple[Artifact, ...]:
        """The user's own Python files that an agent would run."""
        return tuple(item for item in self.artifacts if item.role is Role.CALLABLE)


class Op(Enum):
    EQUALS = "="
    IN = "in"
    VERSION = "version"


@dataclass(frozen=True)
class Condition:
    """One condition on a fact; VERSION holds a PEP 440 specifier set in `values[0]`."""

    fact: str
    op: Op
    values: tuple[str, ...]

    def __str__(self) -> str:
        wanted = self.values[0] if len(self.values) == 1 else "{" + ", ".join(self.values) + "}"
        return f"{self.fact} {self.op.value} {wanted}" if self.op is not Op.VERSION else f"{self.fact} {wanted}"


class Quantifier(Enum):
    EVERY = "every"
    ANY = "any"


@dataclass(frozen=True)
class Target:
    """EVERY matching device known at submit, or ANY one, chosen when it claims. No conditions: all devices."""

    quantifier: Quantifier
    conditions: tuple[Condition, ...] = ()

    def __str__(self) -> str:
        return f"{self.quantifier.value} device" + "".join(
            f" {'with' if index == 0 else 'and'} {condition}" for index, condition in enumerate(self.conditions)
        )


class Mode(Enum):
    LATENCY = "latency"
    THROUGHPUT = "throughput"
    PACED = "paced"


class Arrivals(Enum):
    """When the inputs of a paced BENCH arrive."""

    FIXED = "fixed"
    POISSON = "poisson"


@dataclass(frozen=True)
class Soak:
    """Work under load until no zone's temperature changes faster, or the time is up."""

    limit_s: float = 300.0
    celsius_per_minute: float = 0.5


@dataclass(frozen=True)
class Measure:
    """How to time one BENCH; seconds of wall clock."""

    mode: Mode = Mode.LATENCY
    warmup_s: float = 0.3
    min_s: float = 1.0
    max_s: float = 10.0
    power_mode: str = ""  # in a lease: what the variant's settings ask for
    clocks: str = ""
    soak: Soak | None = None
    margin: float = 0.01  # of A/B: two that differ by less are the same
    confidence: float = 0.99  # of A/B: that equal ones are not called different, with all looks
    streams: int = 1  # of THROUGHPUT: inferences in flight
    rate_hz: float = 0.0  # of PACED, as is what follows
    arrivals: Arrivals = Arrivals.FIXED
    deadline_s: float | None = None  # from an arrival to its answer; None: the period
    arrivals_seed: int = 0
    runs: int = 0  # fresh processes; 0: as many as cost and spread call for
    max_regression: tuple[RegressionLimit, ...] = ()  # of A/B: processes are run until each is known to be kept or not

    @property
    def shortest_bench_s(self) -> float:
        """Warm-ups and windows at their longest; where the number of runs is left open, of one run."""
        runs = max(1, self.runs)
        return runs * self.warmup_s + max(self.max_s, runs * self.min_s)


@dataclass(frozen=True)
class Limits:
    """Longest one attempt may take, child start to child end; and the whole job from its acceptance, if bounded."""

    build_s: int = 1800
    bench_s: int = 600
    deadline_s: int | None = None


@dataclass(frozen=True)
class JobSpec:
    """A job ready to be planned. `source` is job.yaml as the user wrote it, `labels` are for finding its results."""

    name: str
    model_name: str
    variants: tuple[Variant, ...]
    targets: tuple[Target, ...]
    measure: Measure = Measure()
    limits: Limits = Limits()
    priority: int = 0
    source: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    pairs: tuple[Pair, ...] = ()  # to be timed in turns; none: each variant by itself
