"""The shape of job.yaml: what may stand where. What the values mean for a model is decided elsewhere.

`LATER` names what the design knows and this version does not: it is refused with what works today, never ignored.
"""

import re
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from controller.intake.jobfile.check import CheckSection
from controller.intake.jobfile.data import DataSection
from controller.intake.jobfile.goals import ConstraintsText, ObjectiveText
from controller.intake.jobfile.options import Options
from controller.intake.jobfile.pipeline import PipelineSection
from controller.intake.jobfile.rate import check_rate
from controller.intake.jobfile.strict import Strict, distinct, problem
from controller.model.labels import LONGEST_VALUE, MOST, NAME
from jetfleet.placement import PATTERN

_NUMBER = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"
_VALUES = re.compile(rf"normal|arange|uniform\[ *{_NUMBER} *, *{_NUMBER} *\]|constant\[ *{_NUMBER} *\]|.+\.np[yz]")

Dtype: TypeAlias = Literal[
    "float32", "float16", "float64", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"
]


def _values(text: str) -> str:
    match = _VALUES.fullmatch(text)
    if match is None:
        expected = "normal, uniform[LOW,HIGH], constant[NUMBER], arange, or a path that ends in .npy or .npz"
        raise problem(f"{text!r} does not say how to make values", expected=expected)
    if match[1] is not None and float(match[1]) > float(match[2]):
        raise problem(f"{text!r} has its bounds the wrong way round", expected="uniform[LOW,HIGH]")
    return text


def _open_dim(text: str) -> str:
    if text.startswith("batch="):
        raise problem(f"{text!r} gives the batch a size", expected="batch, whose sizes are in variants.batch")
    return text


# Sizes 0 and 1 are special to torch.export: an open dimension that is 1 would be made a constant.
OpenDim: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*=([2-9]|[1-9][0-9]{1,8})$"), AfterValidator(_open_dim)]


class InputSection(Strict):
    """One input of the model."""

    shape: list[Annotated[int, Field(ge=0, le=1 << 31)] | Literal["batch"] | OpenDim] | None = Field(
        default=None,
        max_length=16,
        description="each dimension: its size, 0 too; `batch` for each variant's; NAME=SIZE: exported open; []: scalar",
    )
    dtype: Dtype | None = None
    values: Annotated[str, AfterValidator(_values)] | None = Field(
        default=None,
        description="normal | uniform[a,b] | constant[c] | arange | FILE.npy | FILE.npz; default: by name and use",
    )


class ModelSection(Strict):
    """Exactly one of torch and onnx; paths are relative to the job file."""

    torch: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")] | None = Field(
        default=None, description="MODULE:CALLABLE, which returns a torch.nn.Module"
    )
    args: dict[str, Any] = Field(default_factory=dict, description="keyword arguments for the torch callable")
    onnx: Annotated[str, Field(min_length=1)] | None = Field(default=None, description="path of an ONNX file")
    inputs: dict[str, InputSection] = Field(default_factory=dict)
    data: DataSection = DataSection()

    @model_validator(mode="after")
    def _one_source(self) -> "ModelSection":
        if (self.torch is None) == (self.onnx is None):
            found = "has neither torch nor onnx" if self.torch is None else "has both torch and onnx"
            raise problem(f"model {found}", expected="torch: MODULE:CALLABLE, or onnx: PATH")
        if self.args and self.torch is None:
            raise problem("args belong to torch, and this model is onnx", expected="no args")
        return self


Precisions: TypeAlias = Literal["fp32", "tf32", "fp16", "int8"]
Runtime: TypeAlias = Literal["onnxruntime", "tensorrt", "tensorrt_rtx", "simulated"]
Batch: TypeAlias = Annotated[int, Field(ge=1, le=65536)]
# Joined by +: measured at the same time.
PlacementText: TypeAlias = Annotated[str, Field(pattern=PATTERN)]


OptionAxis: TypeAlias = Annotated[list[bool | int | str], Field(min_length=1, max_length=64), AfterValidator(distinct)]
Size: TypeAlias = Annotated[int, Field(ge=1, le=999_999_999)]
DimAxis: TypeAlias = Annotated[list[Size], Field(min_length=1, max_length=64), AfterValidator(distinct)]


# As nvpmodel.conf names it. Whether a board has it is asked when the job is planned.
PowerMode: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
Clocks: TypeAlias = Literal["as-is", "locked"]


class AxesSection(Strict):
    """Axes and the value, or list of values, of each."""

    precision: Precisions | list[Precisions] | None = None
    batch: Batch | list[Batch] | None = None
    placement: PlacementText | list[PlacementText] | None = None
    runtime: Runtime | list[Runtime] | None = None
    options: dict[str, bool | int | str | OptionAxis] = Field(
        default_factory=dict, description="options that are axes: {threads: 1}"
    )
    dims: dict[str, Size | DimAxis] = Field(default_factory=dict, description="dimensions that are axes: {seq: [64]}")
    power_mode: PowerMode | list[PowerMode] | None = None
    clocks: Clocks | list[Clocks] | None = None


class VariantsSection(Strict):
    """The matrix: every combination of the axes, less exclude, plus include."""

    precision: Annotated[list[Precisions], Field(min_length=1), AfterValidator(distinct)] = Field(default=["fp32"])
    batch: Annotated[list[Batch], Field(min_length=1), AfterValidator(distinct)] | None = Field(
        default=None, description="default: the graph's own, or 1"
    )
    placement: Annotated[list[PlacementText], Field(min_length=1), AfterValidator(distinct)] | None = Field(
        default=None,
        description="default: gpu for tensorrt, else cpu; joined by + they are measured at the same time: gpu+dla0",
    )
    runtime: Annotated[list[Runtime], Field(min_length=1), AfterValidator(distinct)] = Field(default=["onnxruntime"])
    options: dict[str, OptionAxis] = Field(
        default_factory=dict, description="options as axes, by name: {threads: [1, 2]}; they go before `options:`"
    )
    dims: dict[str, DimAxis] = Field(
        default_factory=dict, description="sizes of dimensions that model.inputs writes as NAME=SIZE: {seq: [64, 128]}"
    )
    power_mode: Annotated[list[PowerMode], Field(min_length=1, max_length=64), AfterValidator(distinct)] | None = Field(
        default=None, description="nvpmodel's names, each set for its variants and put back afterwards: [15W, MAXN]"
    )
    clocks: Annotated[list[Clocks], Field(min_length=1), AfterValidator(distinct)] | None = Field(
        default=None, description="as-is, and locked at the most that the power mode allows"
    )
    repeat_builds: int = Field(
        default=1,
        ge=1,
        le=20,
        description="each engine is built so often, and each build measured",
    )
    exclude: list[AxesSection] = Field(default_factory=list)
    include: list[AxesSection] = Field(default_factory=list)


Selector: TypeAlias = dict[str, bool | int | float | str | list[bool | int | float | str]]


class TargetSection(Strict):
    """Every device that matches the selector (offline ones included), or any one of them."""

    every: Selector | None = None
    any: Selector | None = None

    @model_validator(mode="after")
    def _one_quantifier(self) -> "TargetSection":
        if (self.every is None) == (self.any is None):
            raise problem("a target needs exactly one of every and any", expected="{every: {FACT: VALUE}}")
        return self


class SoakSection(Strict):
    """Work under load before the timing, until the board's temperature is steady."""

    max_s: float = Field(default=300, gt=0, le=7200, description="at most this long")
    celsius_per_minute: float = Field(default=0.5, gt=0, le=60, description="steady: no thermal zone changes faster")


class MeasureSection(Strict):
    """How each variant is timed."""

    mode: Literal["latency", "throughput", "paced"] = Field(
        default="latency",
        description="latency: one inference after another; throughput: several at a time; paced: as inputs arrive",
    )
    runs: Literal["auto"] | Annotated[int, Field(ge=1, le=100)] = Field(
        default="auto",
        description="fresh processes; auto: 5, fewer where one takes long, more where they differ and time is left",
    )
    warmup_s: float = Field(default=0.3, ge=0, le=3600, description="of each run: at least so long, and until steady")
    seconds: float = Field(default=1.0, gt=0, le=3600, description="of each run: at least so long in its timed window")
    max_seconds: float | None = Field(
        default=None,
        gt=0,
        le=7200,
        description="of the windows of all runs (of 5, where auto), at most; default 10, or seconds if longer",
    )
    streams: int | None = Field(
        default=None, ge=1, le=64, description="of throughput: inferences in flight at a time; default 2"
    )
    rate_hz: float | None = Field(
        default=None, ge=0.01, le=100_000, description="of paced: inputs that arrive in a second"
    )
    arrivals: Literal["fixed", "poisson"] | None = Field(
        default=None, description="of paced: one in each period, as from a camera, or at random; default fixed"
    )
    deadline_ms: float | None = Field(
        default=None, gt=0, le=3_600_000, description="of paced: from an arrival to its answer; default the period"
    )
    seed: int | None = Field(default=None, ge=0, lt=1 << 32, description="of poisson arrivals; default 0")
    margin: float = Field(
        default=0.01, gt=0, le=1, description="of `submit --ab`: within it two are the same; 0.01 is 1 %"
    )
    confidence: float = Field(
        default=0.99, ge=0.5, lt=1, description="of `submit --ab`: that equal ones are not called different"
    )
    power_mode: PowerMode | None = Field(
        default=None, description="nvpmodel's name, set for the measurement and put back afterwards; default: as it is"
    )
    clocks: Clocks = Field(default="as-is", description="locked: at the most that the power mode allows, and put back")
    soak: bool | SoakSection = Field(default=False, description="true: until the temperature is steady, at most 300 s")

    @model_validator(mode="after")
    def _ordered(self) -> "MeasureSection":
        if self.max_seconds is not None and self.max_seconds < self.seconds:
            raise problem(f"max_seconds {self.max_seconds:g} is less than seconds {self.seconds:g}")
        return self

    @model_validator(mode="after")
    def _of_its_mode(self) -> "MeasureSection":
        for mode, names in _OF_MODE.items():
            given = [name for name in names if getattr(self, name) is not None]
            if given and self.mode != mode:
                raise problem(f"{given[0]} is of mode {mode}, and the mode is {self.mode}", expected=f"mode: {mode}")
        if self.mode == "paced" and self.rate_hz is None:
            raise problem("mode paced needs a rate", expected="rate_hz: 30, for instance")
        if self.rate_hz is not None:
            check_rate(self.rate_hz, self.runs, seconds=self.seconds, max_seconds=self.max_seconds)
        if self.seed is not None and self.arrivals != "poisson":
            raise problem("fixed arrivals take no seed", expected="arrivals: poisson, or no seed")
        return self


# Keys that mean something in one mode only.
_OF_MODE = {"throughput": ("streams",), "paced": ("rate_hz", "arrivals", "deadline_ms", "seed")}


class LimitsSection(Strict):
    """Longest one attempt may take, and the whole job."""

    build_s: int = Field(default=1800, ge=1, le=86400)
    bench_s: int = Field(default=600, ge=1, le=86400)
    deadline_s: int | None = Field(
        default=None, ge=1, le=31_536_000, description="of the whole job, from its acceptance; default none"
    )


class ExportSection(Strict):
    opset: int = Field(default=18, ge=18, le=20, description="of a torch model's export")
    exporter: Literal["dynamo", "legacy"] = Field(
        default="dynamo", description="legacy: TorchScript tracing, which takes branches as the example took them"
    )
    seed: int = Field(
        default=0, ge=0, lt=1 << 32, description="of synthetic inputs, and of torch while the model is made"
    )


class JobFile(Strict):
    """job.yaml"""

    LATER: ClassVar = {"retry": "the job without it"}

    api_version: Literal["jetfleet/v1"] = Field(alias="apiVersion")
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    model: ModelSection
    variants: VariantsSection = VariantsSection()
    targets: Annotated[list[TargetSection], Field(min_length=1)] = Field(
        default=[], description="default: every device that is online and not cordoned"
    )
    measure: MeasureSection = MeasureSection()
    check: CheckSection | Literal["off"] = CheckSection()
    limits: LimitsSection = LimitsSection()
    priority: int = Field(default=0, ge=-1000, le=1000, description="higher goes first")
    labels: dict[Annotated[str, Field(pattern=NAME)], Annotated[str, Field(max_length=LONGEST_VALUE)]] = Field(
        default={}, max_length=MOST, description="free names and values, to find the results by: commit, branch, ..."
    )
    options: Options = Options()
    export: ExportSection = ExportSection()
    pipeline: PipelineSection | None = None
    objective: ObjectiveText | None = Field(
        default=None, description="what the variant to ship is best at: latency (default), energy, or a metric"
    )
    constraints: ConstraintsText = Field(
        default={}, description="what it keeps: the most of what is better smaller, else the least: {p99_ms: 33}"
    )


def json_schema() -> dict[str, Any]:
    """JSON Schema of job.yaml, for editors; docs/jobspec.schema.json is this, written out."""
    schema = JobFile.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
