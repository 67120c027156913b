"""Single inferences of measurements as files of other tools' formats: what `controller export ID --format` writes."""

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jetfleet.errors import BadInput, NotFound

if TYPE_CHECKING:
    from controller.api.client import Client
    from controller.model.job import Artifact
    from controller.model.result import Row
    from controller.model.view import TaskView
    from controller.report.inferences.process import ProcessRecord

MLFLOW = "mlflow"
FORMATS = ("trtexec-times", "chrome-trace", "npz", "parquet", MLFLOW)
_NUMBER = re.compile(r"\.(\d+)\.")  # of the process that a file is of


def export_inferences(client: "Client", rows: Sequence["Row"], path: Path, *, format_: str) -> int:
    """Writes those of the subjects of these measurements, which are of one job; returns of how many measurements."""
    subjects = [row for row in rows if row.measurement.subject_index is not None]
    if not subjects:
        raise NotFound("there is no measurement to export", hint="`controller results` lists what there is")
    if format_ == "npz":
        from controller.cli.samples import save_samples

        return save_samples(client, subjects, path)
    if format_ == "trtexec-times" and len(subjects) > 1:
        ids = ", ".join(f"{row.measurement_id} ({row.label} on {row.device})" for row in subjects)
        raise BadInput("trtexec's file holds one measurement", where="--measurement", expected=f"one of: {ids}")
    records = _records(client, subjects)
    if not any(records.values()):
        raise NotFound(
            "no timeline is kept of it", hint="older agents left none, and `controller gc samples` removes them"
        )
    _write(path, subjects, records, format_)
    return len(subjects)


def export_runs(rows: Sequence["Row"], folder: Path | None, tracking_uri: str) -> int:
    """MLflow's runs of measurements, in a folder or at its server; returns how many were new there."""
    from controller.report.mlflow_runs import folder_uri, log_runs

    if not rows:
        raise NotFound("there is no measurement to export", hint="`controller results` lists what there is")
    return log_runs(rows, tracking_uri or folder_uri(folder or Path("mlruns")))


def _write(path: Path, rows: Sequence["Row"], records: dict[int, list["ProcessRecord"]], format_: str) -> None:
    if format_ == "parquet":
        from controller.report.inferences.parquet import write_parquet

        write_parquet(path, [(_identity(row), _subject(row), each) for row in rows for each in records[row.task_id]])
        return
    if format_ == "trtexec-times":
        from controller.report.inferences.trtexec import trtexec_times

        (row,) = rows
        document: object = trtexec_times(records[row.task_id], _subject(row))
    else:
        from controller.report.inferences.chrome import chrome_trace

        names = {row.task_id: f"{row.variant_key} on {row.device}" for row in rows}
        runs = [(f"{name}, process {each.number}", each) for task, name in names.items() for each in records[task]]
        document = chrome_trace(runs, about={"job": str(rows[0].job_id), "model": rows[0].model_name})
    path.write_text(json.dumps(document) + "\n", encoding="utf-8")


def _identity(row: "Row") -> dict[str, object]:
    return {
        "job_id": row.job_id,
        "measurement_id": row.measurement_id,
        "variant": row.variant_key,
        "device": row.device,
        "placement": row.placement,
        "provenance": row.measurement.provenance.value,
    }


def _subject(row: "Row") -> int:
    return row.measurement.subject_index or 0


def _records(client: "Client", rows: Sequence["Row"]) -> dict[int, list["ProcessRecord"]]:
    """By task, its processes in their order."""
    tasks = {task.id: task for job_id in {row.job_id for row in rows} for task in client.job(job_id).tasks}
    with tempfile.TemporaryDirectory(prefix="jetfleet-") as folder:
        return {row.task_id: list(_processes(client, tasks[row.task_id], Path(folder))) for row in rows}


def _processes(client: "Client", task: "TaskView", folder: Path) -> Iterator["ProcessRecord"]:
    from controller.model.job import Role
    from controller.report.inferences.process import read_process

    sensors = {_number(file): file for file in task.files if file.role is Role.TELEMETRY}
    for file in task.files:
        if file.role is Role.TIMELINE:
            number = _number(file)
            told = _content(client, sensors[number], folder) if number in sensors else b""
            yield read_process(number, _content(client, file, folder), told)


def _content(client: "Client", file: "Artifact", folder: Path) -> bytes:
    path = folder / file.sha256
    client.download(file.sha256, path)
    return path.read_bytes()


def _number(file: "Artifact") -> int:
    found = _NUMBER.search(file.name)
    return int(found[1]) if found else 0
