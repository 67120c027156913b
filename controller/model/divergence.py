"""Where a lowered graph first answers something else than FP32."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerJudgement:
    """A tensor held against FP32's, with the layer that makes it; `reason` is what its numbers say of the cause."""

    tensor: str
    layer: str
    op: str
    passed: bool
    cosine: float | None
    max_abs: float | None
    detail: str
    reason: str = ""


@dataclass(frozen=True)
class Suspect:
    """A tensor that leads to an output, with the layer that makes it; `reads` are the nearest such ones before it."""

    tensor: str
    layer: str
    op: str
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bisection:
    """A variant of a job, and where its graph leaves FP32; without `found`, `reason` says why it was not looked at.

    `device` is where the engines ran, empty: the graphs ran on the workstation. `jobs` are the probes there, and
    `vanished` those tensors with which as one more output an output that had failed agreed.
    """

    variant: str
    found: "Divergence | None" = None
    reason: str = ""
    device: str = ""
    jobs: tuple[int, ...] = ()
    vanished: tuple[str, ...] = ()


@dataclass(frozen=True)
class Divergence:
    """`first` is None where every output agrees; `before` are the last tensors that still did.

    `compared` of `tensors` that lead to an output that fails were looked at.
    """

    outputs: tuple[LayerJudgement, ...]
    first: LayerJudgement | None = None
    before: tuple[LayerJudgement, ...] = ()
    compared: int = 0
    tensors: int = 0
