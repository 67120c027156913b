"""Where lowered graphs leave FP32, as data."""

from collections.abc import Sequence
from typing import Any

from controller.model.divergence import Bisection, LayerJudgement


def bisection_records(found: Sequence[Bisection]) -> list[dict[str, Any]]:
    return [_record(item) for item in found]


def _record(item: Bisection) -> dict[str, Any]:
    found = item.found
    return {
        "variant": item.variant,
        "device": item.device or None,
        "reason": item.reason or None,
        "first": _layer(found.first) if found and found.first else None,
        "before": [_layer(layer) for layer in found.before] if found else [],
        "outputs": [_layer(layer) for layer in found.outputs] if found else [],
        "compared": found.compared if found else 0,
        "tensors": found.tensors if found else 0,
        "jobs": list(item.jobs),
        "vanished": list(item.vanished),
    }


def _layer(item: LayerJudgement) -> dict[str, Any]:
    return {
        "tensor": item.tensor,
        "layer": item.layer,
        "op": item.op,
        "passed": item.passed,
        "cosine": item.cosine,
        "max_abs": item.max_abs,
        "detail": item.detail,
        "reason": item.reason or None,
    }
