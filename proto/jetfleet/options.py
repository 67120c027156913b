"""Every option of a runtime, declared once: its name, values, default, meaning, and who reads it. Pure.

The schema of job.yaml, its JSON Schema, the tables of docs/jobs.md, the agent's parsers and what belongs to an engine's
recipe derive from OPTIONS. An option travels as text; a default that is written out is as good as none. The simulated
runtime takes options of its own, whatever they are called.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from jetfleet.errors import BadInput
from jetfleet.option_kinds import Audience, Choice, Number, Option
from jetfleet.placement import Placement

LOWERING, TYPED, FLAGS = "lowering", "typed", "flags"
TIMING_CACHE, COLD = "timing_cache", "cold"
CUDA_GRAPH, AUTO = "cuda_graph", "auto"
TENSORRT, RTX, ONNXRUNTIME = "tensorrt", "tensorrt_rtx", "onnxruntime"
MOST_THREADS = 4096

_BOTH = (TENSORRT, RTX)
_MOST_MIB = 1 << 20


def _switch(name: str, runtimes: tuple[str, ...], audience: Audience, help: str, *, default: str = "off") -> Choice:
    others = ("on",) if default == "off" else ("off",)
    return Choice(
        name=name, runtimes=runtimes, audience=audience, help=help, default=default, choices=(default, *others)
    )


def _dla_memory(name: str, least: int) -> Number:
    return Number(
        name=name,
        runtimes=(TENSORRT,),
        audience=Audience.DLA_BUILDER,
        help="memory of a DLA's subgraph, a power of two",
        default_note="TensorRT's",
        least=least,
        most=_MOST_MIB,
        power_of_two=True,
    )


OPTIONS: tuple[Option, ...] = (
    Choice(
        name=LOWERING,
        runtimes=(TENSORRT,),
        audience=Audience.PLANNER,
        help="how a precision reaches the engine: by the graph, or chosen by the builder (up to TensorRT 10)",
        default_note="typed where TensorRT has it, and flags for a DLA up to 10.7",
        choices=(TYPED, FLAGS),
    ),
    Number(
        name="builder_optimization_level",
        runtimes=_BOTH,
        audience=Audience.BUILDER,
        help="more tries for a faster engine",
        default_note="TensorRT's, 3",
        least=0,
        most=5,
    ),
    Number(
        name="workspace_mib",
        runtimes=_BOTH,
        audience=Audience.BUILDER,
        help="scratch memory of a layer, at most",
        default_note="leaves room where host and GPU share their memory",
        least=1,
        most=_MOST_MIB,
    ),
    Number(
        name="tactic_dram_mib",
        runtimes=_BOTH,
        audience=Audience.BUILDER,
        help="memory that trying a kernel may take",
        default_note="leaves room where host and GPU share their memory",
        least=1,
        most=_MOST_MIB,
    ),
    _switch("sparsity", _BOTH, Audience.BUILDER, "use 2:4 sparse weights where the model has them"),
    Number(
        name="avg_timing_iterations",
        runtimes=_BOTH,
        audience=Audience.BUILDER,
        help="runs that a kernel's timing is taken over; 8 is trtexec's, TensorRT's own 1 picks kernels by chance",
        default=8,
        least=1,
        most=1000,
    ),
    Choice(
        name="profiling_verbosity",
        runtimes=_BOTH,
        audience=Audience.BUILDER,
        help="less than detailed, and the layers' precisions cannot be audited",
        default="detailed",
        choices=("detailed", "layer_names_only", "none"),
    ),
    Number(
        name="max_aux_streams",
        runtimes=_BOTH,
        audience=Audience.BUILDER,
        help="for layers that run side by side",
        default_note="TensorRT's",
        least=0,
        most=64,
    ),
    _switch("refit", _BOTH, Audience.BUILDER, "weights can be exchanged afterwards; may be slower"),
    _switch(
        "version_compatible",
        (TENSORRT,),
        Audience.BUILDER,
        "later versions may load the engine; may be slower; needs the lean runtime",
    ),
    Choice(
        name="hardware_compatibility",
        runtimes=(TENSORRT,),
        audience=Audience.BUILDER,
        help="other GPUs may load the engine; may be slower",
        default="none",
        choices=("none", "ampere_plus", "same_compute_capability"),
        needs=(("same_compute_capability", "same_compute_capability"),),
    ),
    Choice(
        name=TIMING_CACHE,
        runtimes=(TENSORRT,),
        audience=Audience.BUILDER,
        help="cold: time every kernel anew, and build an engine of its own",
        default="on",
        choices=("on", COLD),
    ),
    _switch(
        "gpu_fallback",
        (TENSORRT,),
        Audience.DLA_BUILDER,
        "layers that a DLA does not take run on the GPU; off: inputs and outputs are converted on the host, fp16 only",
        default="on",
    ),
    Choice(
        name="dla_require",
        runtimes=(TENSORRT,),
        audience=Audience.DLA_BUILDER,
        help="full: refuse an engine of which a part runs on the GPU",
        default="partial",
        choices=("partial", "full"),
    ),
    _dla_memory("dla_managed_sram_kib", 4),
    _dla_memory("dla_local_dram_mib", 1),
    _dla_memory("dla_global_dram_mib", 1),
    Number(
        name="threads",
        runtimes=(ONNXRUNTIME,),
        audience=Audience.BUILDER,
        help="CPU parts that are measured together share them out",
        default_note="as many as CPUs may be used",
        least=1,
        most=MOST_THREADS,
    ),
    _switch("spinning", (ONNXRUNTIME,), Audience.BUILDER, "whether idle threads keep their CPU busy", default="on"),
    Choice(
        name="wait",
        runtimes=(*_BOTH, ONNXRUNTIME),
        audience=Audience.GPU_RUN,
        help="spin: a CPU core is kept busy, and hears of the end sooner",
        default="block",
        choices=("block", "spin"),
    ),
    Choice(
        name=CUDA_GRAPH,
        runtimes=(*_BOTH, ONNXRUNTIME),
        audience=Audience.GPU_RUN,
        help="record the launches of an inference once, and replay them as one; auto: where it can be; never on a DLA",
        default=AUTO,
        choices=(AUTO, "on", "off"),
    ),
    _switch(
        "zero_copy",
        _BOTH,
        Audience.GPU_RUN,
        "where host and GPU share their memory, do without copies; changes what compute means",
    ),
    Number(
        name="inflight",
        runtimes=(*_BOTH, ONNXRUNTIME),
        audience=Audience.GPU_RUN,
        help="2: enqueue an inference before the last one ends, each stage on a stream of its own, as trtexec does",
        default=1,
        least=1,
        most=2,
    ),
)
SIMULATED_RUNTIME = "simulated"


def options_of(runtime: str, *audiences: Audience) -> tuple[Option, ...]:
    """The options of a runtime that one of the audiences reads; without audiences all."""
    return tuple(item for item in OPTIONS if runtime in item.runtimes and (not audiences or item.audience in audiences))


def names_read_by(*audiences: Audience) -> frozenset[str]:
    """Of every runtime."""
    return frozenset(item.name for item in OPTIONS if item.audience in audiences)


def build_options(options: Mapping[str, str], *, runtime: str, placement: str) -> dict[str, str]:
    """What decides an engine; `placement` is one part, like gpu or dla."""
    if runtime == SIMULATED_RUNTIME:
        return dict(options)
    left_out = {Audience.PLANNER, Audience.GPU_RUN} | (set() if Placement(placement).is_dla else {Audience.DLA_BUILDER})
    return _without(options, left_out)


def run_options(options: Mapping[str, str], *, runtime: str, placement: str) -> dict[str, str]:
    """What a subject on `placement` is run with."""
    if runtime == SIMULATED_RUNTIME:
        return dict(options)
    return _without(options, {Audience.PLANNER} | ({Audience.GPU_RUN} if Placement(placement).is_cpu else set()))


def _without(options: Mapping[str, str], audiences: set[Audience]) -> dict[str, str]:
    left_out = names_read_by(*audiences)
    return {name: value for name, value in options.items() if name not in left_out}


@dataclass(frozen=True)
class OptionValues:
    """Options as a task gives them, read; what it does not give is as by default."""

    values: Mapping[str, str | int | None]

    def word(self, name: str) -> str:
        """Empty where the runtime has no such option."""
        return str(self.values.get(name) or "")

    def is_on(self, name: str) -> bool:
        return self.word(name) == "on"

    def number(self, name: str) -> int | None:
        """None: the runtime's own default."""
        value = self.values.get(name)
        return None if value is None else int(value)


def read_options(options: Mapping[str, str], runtime: str, *audiences: Audience) -> OptionValues:
    """A task's options for these audiences of a runtime. Raises BadInput for one that is unknown or cannot be used."""
    known = {item.name: item for item in options_of(runtime, *audiences)}
    refuse_unknown_options(options, known, runtime)
    given = {name: item.read(options[name]) for name, item in known.items() if name in options}
    return OptionValues({name: given.get(name, item.default) for name, item in known.items()})


def refuse_unknown_options(options: Mapping[str, str], known: Collection[str], runtime: str) -> None:
    """Raises BadInput for an option that would silently change nothing."""
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise BadInput(
            f"{runtime} has no option {', '.join(unknown)}", where="options", expected=", ".join(sorted(known))
        )
