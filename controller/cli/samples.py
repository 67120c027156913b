"""Raw samples of measurements as files: an .npz of all, or times as trtexec writes them. Needs no numpy."""

import json
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from controller.record.arrays import read_npy

if TYPE_CHECKING:
    from controller.api.client import Client
    from controller.model.job import Artifact
    from controller.model.result import Row


def save_samples(client: "Client", rows: Sequence["Row"], path: Path) -> int:
    """An .npz with an array of milliseconds for each run of a measurement; returns of how many measurements."""
    found = set()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for row, run, content in _samples(client, rows):
            archive.writestr(f"{_key(row)}{run}.npy", content)
            found.add(row.measurement_id)
    return len(found)


def save_times(client: "Client", rows: Sequence["Row"], path: Path) -> int:
    """`--exportTimes` of trtexec: a list of inferences with what is known of each, its latency. Of several
    measurements an object of such lists.
    """
    times: dict[str, list[dict[str, float]]] = {}
    for row, _, content in _samples(client, rows):
        times.setdefault(_key(row), []).extend({"latencyMs": ms} for ms in read_npy(content))
    document = next(iter(times.values())) if len(times) == 1 else times
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return len(times)


def _samples(client: "Client", rows: Sequence["Row"]) -> Iterator[tuple["Row", str, bytes]]:
    """Of every run that counts, with what its name ends with: nothing, where it was the only one."""
    with tempfile.TemporaryDirectory(prefix="jetfleet-") as folder:
        for row in rows:
            for name, samples in _files(row):
                file = Path(folder) / "samples.npy"
                client.download(samples.sha256, file)
                yield row, name, file.read_bytes()
                file.unlink()


def _files(row: "Row") -> list[tuple[str, "Artifact"]]:
    found = [(run.index, run.samples) for run in row.measurement.counted_runs if run.samples]
    if not found:
        return [("", row.measurement.samples)] if row.measurement.samples else []
    return [(f"-run-{index}" if len(found) > 1 else "", samples) for index, samples in found]


def _key(row: "Row") -> str:
    part = "" if not row.part else f"-{row.part.replace(' ', '-')}"
    return f"{row.job_id}-{row.variant_key}-{row.device}{part}-{row.measurement_id}".replace("/", "_")
