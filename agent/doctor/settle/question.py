"""A question that only a board can answer, and what came of asking it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from agent.doctor.check import CheckContext

# What must be there for a question to make sense: a Jetson, any GPU of NVIDIA's, or any machine at all.
Needs = Literal["jetson", "gpu", "machine"]


class CouldNotAsk(Exception):
    """Why a question has no answer here; not a fault of the board."""


@dataclass(frozen=True)
class Question:
    """`how` is where the answer comes from. `live` questions run something, and are not asked of a copied tree."""

    name: str
    asks: str
    how: str
    ask: Callable[[CheckContext], str]
    needs: Needs = "jetson"
    live: bool = False
    limit_s: float = 10.0


@dataclass(frozen=True)
class SettledAnswer:
    """`asked` is False where there is no answer; `text` then says why."""

    question: Question
    asked: bool
    text: str
