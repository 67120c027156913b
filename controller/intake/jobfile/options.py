"""What each runtime may be told in job.yaml: names, ranges and defaults. They reach an agent as text.

A default that is written out is as good as none, so that two job files that mean the same share their engines.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from controller.intake.jobfile.strict import Strict, problem


def _switch(value: object) -> object:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def _text_of(value: object) -> object:
    """A made-up runtime's options are text; numbers and flags may be written without quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _dla_size(kib: int) -> int:
    if kib & (kib - 1):
        raise problem(f"{kib} is no size for a DLA's memory", expected="a power of two")
    return kib


Switch: TypeAlias = Annotated[
    Literal["on", "off"], BeforeValidator(_switch), WithJsonSchema({"enum": ["on", "off", True, False]})
]
Size: TypeAlias = Annotated[int, Field(ge=1, le=1 << 20)]
DlaKib: TypeAlias = Annotated[int, Field(ge=4, le=1 << 20), AfterValidator(_dla_size)]
DlaMib: TypeAlias = Annotated[int, Field(ge=1, le=1 << 20), AfterValidator(_dla_size)]
Sizes: TypeAlias = Annotated[list[Annotated[int, Field(ge=1, le=1 << 31)]], Field(max_length=16)]


class OnGpu(Strict):
    """How an inference on a GPU is launched and waited for; no part of the engine."""

    wait: Literal["block", "spin"] = Field(
        default="block", description="spin: a CPU core is kept busy, and hears of the end sooner"
    )
    cuda_graph: Switch = Field(default="off", description="record the launches once, and replay them as one")


class OnnxRuntime(OnGpu):
    """ONNX Runtime, on a CPU or by its CUDA provider; `wait` and `cuda_graph` are for a GPU."""

    threads: int | None = Field(default=None, ge=1, le=4096, description="default: as many as CPUs may be used")
    spinning: Switch = Field(default="on", description="whether idle threads keep their CPU busy")


class Range(Strict):
    """Shapes of an input that the engine must take; it is tuned for `opt`."""

    min: Sizes
    opt: Sizes
    max: Sizes


class Builder(OnGpu):
    """What both TensorRTs have."""

    profile: dict[str, Range] = Field(
        default_factory=dict, description="optimisation profile, by input; without one an engine takes one shape"
    )
    builder_optimization_level: int | None = Field(default=None, ge=0, le=5, description="default: TensorRT's, 3")
    workspace_mib: Size | None = Field(
        default=None, description="scratch memory of a layer, at most; default: leaves room where host and GPU share it"
    )
    tactic_dram_mib: Size | None = Field(
        default=None, description="memory that trying a kernel may take; default: likewise"
    )
    sparsity: Switch = Field(default="off", description="use 2:4 sparse weights where the model has them")
    avg_timing_iterations: int = Field(
        default=8, ge=1, le=1000, description="runs that a kernel's timing is taken over"
    )
    profiling_verbosity: Literal["detailed", "layer_names_only", "none"] = Field(
        default="detailed", description="less than detailed, and the layers' precisions cannot be audited"
    )
    max_aux_streams: int | None = Field(default=None, ge=0, le=64, description="for layers that run side by side")
    refit: Switch = Field(default="off", description="weights can be exchanged afterwards; may be slower")
    zero_copy: Literal["auto", "off"] = Field(
        default="auto", description="off: copy even where host and GPU share their memory"
    )


class TensorRt(Builder):
    """TensorRT on a Jetson or another NVIDIA GPU."""

    lowering: Literal["typed", "flags"] | None = Field(
        default=None,
        description="how a precision reaches the engine: typed (in the graph) or flags (the builder chooses, up to "
        "TensorRT 10); default: typed where there is it, and flags for a DLA up to 10.7",
    )
    version_compatible: Switch = Field(default="off", description="later versions may load the engine; may be slower")
    hardware_compatibility: Literal["none", "ampere_plus", "same_compute_capability"] = Field(
        default="none", description="other GPUs may load the engine; may be slower"
    )
    timing_cache: Literal["on", "cold"] = Field(
        default="on", description="cold: time every kernel anew, and build an engine of its own"
    )
    gpu_fallback: Switch = Field(default="on", description="layers that a DLA does not take run on the GPU")
    dla_require: Literal["partial", "full"] = Field(
        default="partial", description="full: refuse an engine of which a part runs on the GPU"
    )
    dla_managed_sram_kib: DlaKib | None = Field(default=None, description="a power of two")
    dla_local_dram_mib: DlaMib | None = Field(default=None, description="a power of two")
    dla_global_dram_mib: DlaMib | None = Field(default=None, description="a power of two")


class Options(Strict):
    """What a runtime is told, by runtime; it applies to all variants of that runtime."""

    onnxruntime: OnnxRuntime = OnnxRuntime()
    tensorrt: TensorRt = TensorRt()
    tensorrt_rtx: Builder = Builder()
    simulated: dict[str, Annotated[str, BeforeValidator(_text_of)]] = Field(default_factory=dict)

    def profile(self, runtime: str) -> dict[str, Range]:
        """The ranges of a runtime's inputs; none where it knows none."""
        found = getattr(self, runtime)
        return found.profile if isinstance(found, Builder) else {}

    def text(self, runtime: str) -> dict[str, str]:
        """The options of a runtime as its variants carry them: what is not as by default; shapes are not options."""
        found = getattr(self, runtime)
        if isinstance(found, dict):
            return dict(found)
        values = found.model_dump(exclude_defaults=True, exclude={"profile"})
        return {name: str(value) for name, value in values.items()}
