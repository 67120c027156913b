"""Measurements as runs of MLflow, one each. The only importer of mlflow, which only this needs."""

import importlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from controller.model.facts import shown
from controller.model.result import Row
from jetfleet.errors import BadInput, Infrastructure
from jetfleet.metrics import METRICS

_ID = "jetfleet.measurement_id"
_WHEN = "jetfleet.measured_at"
_LONGEST = 500  # characters of a parameter; of a tag MLflow takes ten times as many


def folder_uri(folder: Path) -> str:
    """A store of files. MLflow takes it no longer unless told that it is meant, which a folder's name is."""
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    return folder.resolve().as_uri()


def log_runs(rows: Sequence[Row], uri: str) -> int:
    """Of how many a run was made; a measurement that has one is left alone. Experiments are named as the jobs are.

    Raises BadInput where mlflow is not installed, Infrastructure where its store cannot be written.
    """
    mlflow, entities = _mlflow()
    made = 0
    try:
        client = mlflow.MlflowClient(tracking_uri=uri)
        for row in rows:
            made += _log(client, entities, row)
    except (mlflow.MlflowException, OSError) as error:
        raise Infrastructure(f"MLflow's store cannot be written: {error}", where=uri) from error
    return made


def _log(client: Any, entities: Any, row: Row) -> bool:
    found = client.get_experiment_by_name(row.job_name)
    experiment = found.experiment_id if found else client.create_experiment(row.job_name)
    when = row.measured_at.isoformat()
    if client.search_runs([experiment], f"tags.`{_ID}` = '{row.measurement_id}' and tags.`{_WHEN}` = '{when}'"):
        return False
    at_ms = round(row.measured_at.timestamp() * 1000)
    tags = {**dict(_tags(row)), _ID: str(row.measurement_id), _WHEN: when}
    run = client.create_run(experiment, start_time=at_ms, run_name=f"{row.label} on {row.device}").info.run_id
    client.log_batch(
        run,
        metrics=[entities.Metric(name, value, at_ms, 0) for name, value in _metrics(row)],
        params=[entities.Param(name, value[:_LONGEST]) for name, value in _params(row)],
        tags=[entities.RunTag(name, value[: 10 * _LONGEST]) for name, value in tags.items()],
    )
    client.set_terminated(run, status="FINISHED", end_time=at_ms)
    return True


def _metrics(row: Row) -> Iterator[tuple[str, float]]:
    """What has no number has no metric."""
    for metric in METRICS:
        item = row.measurement.estimate(metric.name)
        for name, value in (("", item.value), ("_low", item.low), ("_high", item.high)):
            if value is not None and math.isfinite(value):
                yield f"{metric.name}{name}", value


def _params(row: Row) -> Iterator[tuple[str, str]]:
    """What was asked for."""
    yield "model", row.model_name
    yield "variant", row.variant_key
    yield "device", row.device
    yield "runtime", row.runtime
    yield "precision", row.precision.value
    yield "batch", str(row.batch)
    yield "placement", row.placement
    yield "mode", row.mode.value
    for prefix, values in (("option", row.options), ("dim", row.dims), ("setting", row.settings)):
        yield from _named(prefix, values)


def _tags(row: Row) -> Iterator[tuple[str, str]]:
    """What was found, and by which files it can be looked up again."""
    item = row.measurement
    yield "verdict", item.verdict
    yield "provenance", item.provenance.value
    yield "runtime_version", row.runtime_version
    yield "schedule", row.schedule.value
    yield "job_id", str(row.job_id)
    yield "engine_key", row.engine_key
    yield "model_sha256", row.model_sha256
    yield "samples_sha256", " ".join(file.sha256 for file in item.sample_files)
    yield from ((f"flag.{flag.kind.value}", flag.evidence) for flag in item.flags)
    yield from _named("label", row.labels)
    yield from _named("circumstance", item.circumstances)
    yield from ((f"fact.{name}", shown(value)) for name, value in sorted(row.facts.items()))


def _named(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return ((f"{prefix}.{name}", str(value)) for name, value in sorted(values.items()))


def _mlflow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("mlflow"), importlib.import_module("mlflow.entities")
    except ImportError as error:
        hint = "pip install 'jetfleet[mlflow]'"
        raise BadInput("mlflow is not installed", where="--format mlflow", hint=hint) from error
