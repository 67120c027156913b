"""Engines as data: what stands under `engines` and `engine`."""

from dataclasses import asdict
from typing import Any

from controller.model.engine import Built, EngineView
from controller.model.job import Artifact, TensorSpec

Record = dict[str, Any]


def engine_summary_record(view: EngineView) -> Record:
    """What a listing knows."""
    recipe, built = view.recipe, view.built
    return {
        "key": view.key,
        "runtime": recipe.runtime,
        "runtime_version": recipe.runtime_version,
        "precision": recipe.precision.value,
        "lowering": recipe.lowering.value,
        "placement": recipe.placement,
        "inputs": [_input_record(item) for item in recipe.inputs],
        "options": dict(sorted(recipe.options.items())),
        "device_class": {"key": view.device_class.key, "fields": dict(view.device_class.fields)},
        "built_on": view.built_on or None,
        "built_at": view.built_at and view.built_at.isoformat(),
        "build": built and _build_record(built),
    }


def engine_record(view: EngineView) -> Record:
    report = view.built.report if view.built else None
    return {
        **engine_summary_record(view),
        "variants": list(view.variants),
        "made_from": [_file_record(item) for item in view.recipe.artifacts],
        "dla_fallbacks": [asdict(item) for item in report.dla.fallbacks] if report and report.dla else None,
        "warnings": list(report.warnings) if report else None,
        "flags": [{"kind": flag.kind.value, "evidence": flag.evidence} for flag in report.flags()] if report else None,
        "files": [_file_record(item) for item in view.files],
        "audit": view.audit and {**asdict(view.audit), "precision": view.audit.precision or None},
    }


def _build_record(built: Built) -> Record:
    report = built.report
    return {
        "sha256": built.engine.sha256,
        "size_bytes": built.engine.size_bytes,
        "build_s": built.build_s,
        "power_mode": built.power_mode,
        "peak_rss_bytes": report.peak_rss_bytes,
        "peak_device_bytes": report.peak_device_bytes,
        "device_memory_bytes": report.device_memory_bytes,
        "tactics_skipped": report.tactics_skipped,
        "timing_cache": report.timing_cache
        and {**asdict(report.timing_cache), "handed": [*report.timing_cache.handed]},
        "dla": report.dla
        and {
            "layers_on_dla": report.dla.layers_on_dla,
            "layers_on_gpu": report.dla.layers_on_gpu,
            "subgraphs": report.dla.subgraphs,
        },
    }


def _file_record(item: Artifact) -> Record:
    return {"role": item.role.value, "name": item.name, "sha256": item.sha256, "size_bytes": item.size_bytes}


def _input_record(spec: TensorSpec) -> Record:
    shapes = spec.range and {"min": [*spec.range.min], "opt": [*spec.range.opt], "max": [*spec.range.max]}
    return {"name": spec.name, "dtype": spec.dtype, "shape": [*spec.shape], "range": shapes}
