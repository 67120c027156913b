"""Where lowered graphs leave FP32, for people: the first layer, what came before it, and what to do next."""

from collections.abc import Iterator, Sequence

from controller.model.divergence import Bisection, Divergence, LayerJudgement
from controller.report.text.words import one_line

_AGREES = (
    "every output agrees with FP32 on this workstation, which computes half precision in float32 and keeps it in half: "
    "where the device says WRONG_OUTPUT, its own kernels do it: compare builds with other options there"
)


def bisection_lines(found: Sequence[Bisection]) -> Iterator[str]:
    for item in found:
        yield from (one_line(line) for line in _lines(item))


def _lines(item: Bisection) -> Iterator[str]:
    if item.found is None:
        yield f"{item.variant}: {item.reason}"
    elif item.found.first is None:
        yield f"{item.variant}: {_AGREES}"
    else:
        yield from _first(item.variant, item.found, item.found.first)


def _first(variant: str, found: Divergence, first: LayerJudgement) -> Iterator[str]:
    failing = ", ".join(layer.tensor for layer in found.outputs if not layer.passed)
    if failing:
        yield f"{variant}: output {failing} leaves FP32 first at {_name(first)}"
    else:
        yield f"{variant}: the outputs agree here, where half is computed in float32; {_name(first)} does not"
    yield f"  it makes {first.tensor}: {first.detail}"
    if first.reason:
        yield f"  why: {first.reason}"
    for layer in found.before:
        cosine = "" if layer.cosine is None else f", cosine {layer.cosine:.6f}"
        yield f"  before it, {_name(layer)} still agreed{cosine}"
    yield f"  {found.compared} of {found.tensors} tensors that lead there were compared"


def _name(layer: LayerJudgement) -> str:
    return f"{layer.op} {layer.layer!r}" if layer.layer else f"the {layer.op} that makes {layer.tensor!r}"
