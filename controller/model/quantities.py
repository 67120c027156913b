"""What a constraint or an objective may be about: every metric, and what follows from a row and its engine. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.model.recommendation import Constraint, Goals
from jetfleet.errors import BadInput
from jetfleet.metrics import METRICS, Better

ACCURACY_DROP = "accuracy_drop"
ENGINE_BYTES = "engine_bytes"
MEMORY_BYTES = "memory_bytes"

# How people call them; what each means is the metric's own text.
WORDS: Mapping[str, str] = {
    "latency": "p50_ms",
    "throughput": "throughput_per_s",
    "energy": "energy_mj",
    "power": "power_mean_w",
    "memory": MEMORY_BYTES,
}


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
        near = [item for item in QUANTITIES if text.split("_")[0] in item][:8] or list(QUANTITIES)[:8]
        raise BadInput(
            f"{text!r} is not something to decide by",
            where=where,
            expected=f"one of {', '.join([*WORDS, *near])}, ... (docs/metrics.md)",
        )
    return QUANTITIES[name]


def read_goals(objective: str, constraints: Mapping[str, float], *, where: str) -> Goals:
    """Raises BadInput for a quantity that does not exist."""
    held = tuple(Constraint(quantity(name, where=where).name, limit) for name, limit in constraints.items())
    return Goals(quantity(objective, where=where).name, held)


def at_most(name: str) -> bool:
    """Whether a limit of it is an upper one."""
    return QUANTITIES[name].better is Better.LOWER
