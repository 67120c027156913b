"""What stands around an engine, in one line: the stages of a pipeline, which add up, and accuracies beside top-1."""

from collections.abc import Iterator

from controller.model.result import Measurement
from controller.report.text.words import number
from jetfleet.circumstances import PIPELINE
from jetfleet.metrics import ACCURACIES

_PARTS = ("pre", "latency", "post", "residual")


def stage_lines(item: Measurement) -> Iterator[str]:
    """Means, because only they add up."""
    means = {name: item.value(f"{name}_mean_ms") for name in (*_PARTS, "e2e")}
    if PIPELINE in item.circumstances and means["e2e"] is not None:
        parts = [f"{name} {number(means[name])}" for name in _PARTS if means[name] is not None]
        yield f"{' + '.join(parts)} = e2e {number(means['e2e'])} ms (means); {item.circumstances[PIPELINE]}"
    others = [f"{name} {value:.4f}" for name in ACCURACIES[1:] if (value := item.value(name)) is not None]
    if others:
        yield f"{', '.join(others)} (n={item.accuracy_n})"
