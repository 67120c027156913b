"""What a constraint or an objective may be about: every metric, and what follows from a row and its engine. Pure."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from controller.model.recommendation import Constraint, Goals
from jetfleet.errors import BadInput
from jetfleet.metrics import METRICS, NAMES, Better

ACCURACY_DROP = "accuracy_drop"
ENGINE_BYTES = "engine_bytes"
MEMORY_BYTES = "memory_bytes"

# How people call them; what each means is the metric's own text.
WORDS: Mapping[str, str] = {
    "latency": "p50_ms",
    "p50": "p50_ms",
    "p90": "p90_ms",
    "p95": "p95_ms",
    "p99": "p99_ms",
    "throughput": "throughput_per_s",
    "energy": "energy_mj",
    "power": "power_mean_w",
    "memory": MEMORY_BYTES,
}
_STAGED = frozenset(metric.name for metric in METRICS if metric.stage)


@dataclass(frozen=True)
class Quantity:
    """`has_interval`: where it lacks one, nothing is shown by it."""

    name: str
    unit: str
    better: Better
    meaning: str
    has_interval: bool = False


QUANTITIES: Mapping[str, Quantity] = {
    item.name: item
    for item in (
        *(
            Quantity(metric.name, metric.unit, metric.better, metric.meaning, metric.has_interval)
            for metric in METRICS
            if metric.better is not Better.NEITHER
        ),
        Quantity(ACCURACY_DROP, "share", Better.LOWER, "accuracy of the baseline less the variant's, 0 to 1"),
        Quantity(ENGINE_BYTES, "bytes", Better.LOWER, "size of the engine's file"),
        Quantity(MEMORY_BYTES, "bytes", Better.LOWER, "what the engine asks for at run time, as its builder told"),
    )
}
DEFAULT_OBJECTIVE = "p50_ms"


def quantity(text: str, *, where: str) -> Quantity:
    """By its name, or by a word of WORDS. Raises BadInput."""
    name = WORDS.get(text, text)
    if name not in QUANTITIES:
        raise unknown_metric(text, QUANTITIES, where=where, purpose="decide by")
    return QUANTITIES[name]


def unknown_metric(text: str, known: Iterable[str], *, where: str, purpose: str) -> BadInput:
    """What to say of a name that is not of these: what they are, and which of them may be meant.

    Stages are many: they are told as a kind, where they are known at all.
    """
    names = list(known)
    words = [word for word, meant in WORDS.items() if meant in names]
    near = get_close_matches(text, [*words, *names], n=3)
    listed = ", ".join([*words, *(name for name in names if name not in _STAGED)])
    staged = ", or of a stage (docs/metrics.md)" if _STAGED.intersection(names) else ""
    return BadInput(
        f"there is no metric {text!r}" if text not in NAMES else f"{text} is not something to {purpose}",
        where=where,
        expected=f"one of {listed}{staged}",
        hint=f"did you mean {' or '.join(map(repr, near))}?" if near else "",
    )


def read_goals(objective: str, constraints: Mapping[str, float], *, where: str) -> Goals:
    """Raises BadInput for a quantity that does not exist, and a limit that nothing could be held against."""
    for name, limit in constraints.items():
        if not math.isfinite(limit):
            raise BadInput(f"{name}={limit} is not a valid constraint", where=where, expected="a finite number")
    held = tuple(Constraint(quantity(name, where=where).name, limit) for name, limit in constraints.items())
    return Goals(quantity(objective, where=where).name, held)


def at_most(name: str) -> bool:
    """Whether a limit of it is an upper one."""
    return QUANTITIES[name].better is Better.LOWER
