"""A recommendation as data: what stands under `recommended`."""

from typing import Any, TypeAlias

from controller.model.recommendation import (
    ClassRecommendation,
    Configuration,
    Goals,
    Held,
    RecommendationReport,
)
from controller.model.result import Estimate

Record: TypeAlias = dict[str, Any]


def recommended_record(report: RecommendationReport) -> Record:
    return {"goals": _goals(report.goals), "classes": [_class_record(item, report.goals) for item in report.classes]}


def _goals(goals: Goals) -> Record:
    return {
        "objective": goals.objective,
        "constraints": {item.quantity: item.limit for item in goals.constraints},
    }


def _class_record(item: ClassRecommendation, goals: Goals) -> Record:
    names = (goals.objective, *(held.quantity for held in goals.constraints), *item.pareto_axes)
    shown = tuple(dict.fromkeys(names))
    return {
        "device_class": item.device_class,
        "provenance": item.provenance.value,
        "boards": list(item.boards),
        "winner": _configuration_record(item.winners[0], shown) if item.winners else None,
        "ties": [_configuration_record(other, shown) for other in item.winners[1:]],
        "margin": item.margin and estimate_record(item.margin),
        "reason": item.reason,
        "runners_up": [
            {**_configuration_record(other.configuration, shown), "behind": estimate_record(other.behind)}
            for other in item.runners_up
        ],
        "rejected": [
            {
                **_configuration_record(other.configuration, shown),
                "failed": [_held_record(held) for held in other.failed],
            }
            for other in item.rejected
        ],
        "pareto": {"axes": list(item.pareto_axes), "front": [other.label for other in item.pareto]},
        "cheapest_power_mode": item.cheapest_mode and _configuration_record(item.cheapest_mode, shown),
        "dla": [
            {
                "variant": found.variant_key,
                "compatibility": found.compatibility.value,
                "use": found.use,
                "evidence": list(found.evidence),
            }
            for found in item.dla
        ],
        "not_valid": [vars(found) for found in item.not_valid],
        "notes": list(item.notes),
    }


def _configuration_record(item: Configuration, shown: tuple[str, ...]) -> Record:
    return {
        "variant": item.variant_key,
        "model": item.model_name,
        "power_mode": item.power_mode or None,
        "clocks": item.clocks or None,
        "options": item.options or None,
        "boards": list(item.boards),
        "measurement_ids": list(item.measurement_ids),
        "engine_keys": list(item.engine_keys),
        "estimates": {name: estimate_record(item.estimate(name)) for name in shown},
    }


def _held_record(held: Held) -> Record:
    return {
        "quantity": held.constraint.quantity,
        "limit": held.constraint.limit,
        "bound": held.bound.value,
        "excess": held.excess,
        "reason": held.reason,
        **estimate_record(held.estimate),
    }


def estimate_record(item: Estimate) -> Record:
    return {"value": item.value, "low": item.low, "high": item.high, "value_reason": item.reason or None}
