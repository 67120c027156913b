"""Where lowered graphs leave FP32, for people: the first layer, what came before it, and what to do next."""

from collections.abc import Iterator, Sequence

from controller.model.divergence import Bisection, Divergence, LayerJudgement
from controller.report.text.words import one_line
from jetfleet.plural import counted

_AGREES = (
    "every output agrees with FP32 on this workstation, which computes half precision in float32 and keeps it in half: "
    "where the device says WRONG_OUTPUT, its own kernels do it: compare builds with other options there"
)


def bisection_lines(found: Sequence[Bisection]) -> Iterator[str]:
    for item in found:
        yield from (one_line(line) for line in _lines(item))


def _lines(item: Bisection) -> Iterator[str]:
    where = f"{item.variant} on {item.device}" if item.device else item.variant
    if item.found is None:
        yield f"{where}: {item.reason}"
    elif item.found.first is None:
        yield f"{where}: {'every output agrees with FP32 there' if item.device else _AGREES}"
    else:
        yield from _first(where, item.found, item.found.first)
    if item.device and item.found is not None and item.found.first is not None:
        yield from _probes(item)


def _probes(item: Bisection) -> Iterator[str]:
    """What the engines were that this was seen in: not the one that is asked about."""
    yield (
        f"  seen in {counted(len(item.jobs), 'job')}, {item.jobs[0]} to {item.jobs[-1]}: all but the first built "
        "an engine with one more output, around which a builder fuses less"
    )
    for tensor in item.vanished:
        yield (
            f"  with {tensor} as an output, what had failed agreed: that output made another engine of it, so look at "
            "how the layers around it are fused"
        )


def _first(where: str, found: Divergence, first: LayerJudgement) -> Iterator[str]:
    failing = ", ".join(layer.tensor for layer in found.outputs if not layer.passed)
    if failing:
        yield f"{where}: output {failing} leaves FP32 first at {_name(first)}"
    else:
        yield f"{where}: the outputs agree here, where half is computed in float32; {_name(first)} does not"
    yield f"  it makes {first.tensor}: {first.detail}"
    if first.reason:
        yield f"  why: {first.reason}"
    for layer in found.before:
        cosine = "" if layer.cosine is None else f", cosine {layer.cosine:.6f}"
        yield f"  before it, {_name(layer)} still agreed{cosine}"
    yield f"  {found.compared} of {counted(found.tensors, 'tensor')} that lead there were compared"


def _name(layer: LayerJudgement) -> str:
    if not layer.op:
        return f"the output {layer.tensor!r} itself"
    return f"{layer.op} {layer.layer!r}" if layer.layer else f"the {layer.op} that makes {layer.tensor!r}"
