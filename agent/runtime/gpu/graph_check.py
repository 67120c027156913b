"""Whether a graph answers as the engine does without it: on the inputs that are bound, and on others.

What ran on the host while work was recorded, a shape or an index computed there, is a constant in the graph: it shows
only when the inputs change.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from agent.runtime.arrays import Tensor
from agent.runtime.gpu.graphs import CaptureFailed, Graph

CLOSE = 1e-2  # of the norm; kernels that sum in any order differ by far less
_ALIKE = 0.99  # of integers: argmax over numbers that differ by roundings


class Answers(Protocol):
    """Answers of an inference, with its work enqueued by `launch`, or as it comes."""

    def __call__(self, launch: Callable[[], None] | None = None) -> dict[str, Tensor]: ...


def usable_graph(capture: Callable[[], Graph], inputs: Sequence[Tensor], answers: Answers) -> Graph | str:
    """The graph, or why there is none. `inputs` are the buffers that an inference reads."""
    try:
        graph = capture()
    except CaptureFailed as error:
        return f"it cannot be captured: {error}"
    if answers_alike(inputs, answers, graph.launch):
        return graph
    graph.close()
    return "its answers are others than without"


def answers_alike(inputs: Sequence[Tensor], answers: Answers, launch: Callable[[], None]) -> bool:
    """`inputs` are the buffers that an inference reads; they hold afterwards what they held before."""
    if not _alike(answers(), answers(launch)):
        return False
    kept = [np.array(buffer) for buffer in inputs]
    try:
        for buffer, values in zip(inputs, kept, strict=True):
            np.copyto(buffer, np.roll(values, 1))  # in any range, since these values are
        return _alike(answers(), answers(launch))
    finally:
        for buffer, values in zip(inputs, kept, strict=True):
            np.copyto(buffer, values)


def _alike(plain: Mapping[str, Tensor], replayed: Mapping[str, Tensor]) -> bool:
    return all(_same(array, replayed[name]) for name, array in plain.items())


def _same(plain: Tensor, replayed: Tensor) -> bool:
    if plain.dtype.kind != "f":
        return bool(np.mean(plain == replayed) >= _ALIKE) if plain.size else True
    finite = np.isfinite(plain)
    if not np.array_equal(finite, np.isfinite(replayed)):
        return False
    wanted, got = plain[finite].astype(np.float64), replayed[finite].astype(np.float64)
    return bool(np.linalg.norm(got - wanted) <= CLOSE * np.linalg.norm(wanted))
