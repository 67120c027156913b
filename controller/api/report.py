"""Gathers what a report is made from: rows, decisions, samples, telemetry, placements."""

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from controller.analysis.importance import by_importance
from controller.analysis.quantiles import thinned
from controller.api.history import history_of
from controller.api.telemetry_file import latency_of, series_of
from controller.model.comparison import ComparisonReport
from controller.model.engine import DlaPlacement
from controller.model.job import Artifact, Role
from controller.model.report import Distribution, ReportData, ReportJob, Series
from controller.model.result import Row
from controller.model.view import JobView, ResultQuery
from controller.record.arrays import read_npy
from jetfleet.errors import BadInput, JetfleetError
from jetfleet.version import VERSION

if TYPE_CHECKING:
    from controller.api.client import Client

MOST_ROWS = 5000
_MOST_DISTRIBUTIONS = 60  # files are downloaded for each
_LARGEST_TELEMETRY = 64 << 20  # of a file: hours of every channel are a tenth of it
_MOST_TELEMETRY = 12


def gather_report(
    client: "Client",
    job_ids: Sequence[int],
    *,
    objective: str = "",
    constraints: Mapping[str, float] | None = None,
    title: str = "",
    keep: Callable[[Artifact, bytes], None] = lambda artifact, content: None,
) -> ReportData:
    """`keep` is given every file that was fetched. Raises NotFound, BadInput for jobs without a single result."""
    jobs = [client.job(job_id) for job_id in dict.fromkeys(job_ids)]
    rows = client.results(ResultQuery(tuple(job.id for job in jobs), limit=MOST_ROWS))
    if not rows:
        raise BadInput("these jobs have no results", where=", ".join(f"job {job.id}" for job in jobs))
    compared = client.compare([job.id for job in jobs])
    return ReportData(
        title=title or f"jetfleet: {', '.join(dict.fromkeys(job.name for job in jobs))}",
        made_at=datetime.now(timezone.utc),
        version=VERSION,
        jobs=tuple(_job(job) for job in jobs),
        rows=tuple(rows),
        compared=compared,
        recommended=client.recommend([job.id for job in jobs], objective=objective, constraints=constraints),
        distributions=_distributions(client, _first(rows, compared), keep),
        telemetry=_telemetry(client, rows),
        placements=_placements(client, rows),
        histories=tuple(history_of(client.results, rows)),
    )


def _job(job: JobView) -> ReportJob:
    return ReportJob(job.id, job.name, job.state.value, job.submitted_by, job.created_at, job.labels)


def _first(rows: Sequence[Row], compared: ComparisonReport) -> list[Row]:
    """Both arms of the comparisons that a report shows first, then the newest."""
    arms = [row for item in by_importance(compared.comparisons) for row in (item.baseline, item.row) if row is not None]
    return list({row.measurement_id: row for row in (*arms, *rows)}.values())


def _distributions(
    client: "Client", rows: Sequence[Row], keep: Callable[[Artifact, bytes], None]
) -> dict[int, Distribution]:
    """Of the first rows; one whose files are gone has none."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="jetfleet-report-") as folder:
        file = Path(folder) / "samples.npy"
        for row in rows[:_MOST_DISTRIBUTIONS]:
            made = _distribution(client, row, file, keep)
            if made is not None:
                found[row.measurement_id] = made
    return found


def _distribution(
    client: "Client", row: Row, file: Path, keep: Callable[[Artifact, bytes], None]
) -> Distribution | None:
    values: list[float] = []
    for artifact in row.measurement.sample_files:
        try:
            client.download(artifact.sha256, file)
            content = file.read_bytes()
            values += read_npy(content)
        except JetfleetError:
            return None  # collected as garbage, or damaged: the numbers are there all the same
        finally:
            file.unlink(missing_ok=True)
        keep(artifact, content)
    if not values:
        return None
    medians = (run.metrics.get("p50_ms") for run in row.measurement.counted_runs)
    return Distribution(*thinned(sorted(values)), tuple(value for value in medians if value is not None))


def _telemetry(client: "Client", rows: Sequence[Row]) -> dict[int, tuple[Series, ...]]:
    """Of the newest measurement of each engine, whose files an engine lists; none where they are gone."""
    found = {}
    by_id = {row.measurement_id: row for row in rows}
    keys = list(dict.fromkeys(row.engine_key for row in rows if row.engine_key))[:_MOST_TELEMETRY]
    with tempfile.TemporaryDirectory(prefix="jetfleet-report-") as folder:
        for view in map(client.engine, keys):
            files = [item for item in view.files if item.role is Role.TELEMETRY]
            row = by_id.get(view.audit.measurement_id) if view.audit is not None else None
            if files and row is not None and files[0].size_bytes <= _LARGEST_TELEMETRY:
                path = Path(folder) / "telemetry.json"
                try:
                    client.download(files[0].sha256, path)
                    found[row.measurement_id] = _series(
                        path.read_text(encoding="utf-8", errors="replace"), row, files[0]
                    )
                except JetfleetError:
                    continue
                finally:
                    path.unlink(missing_ok=True)
    return found


def _series(text: str, row: Row, file: Artifact) -> tuple[Series, ...]:
    """Latency first, of the process that the file is of."""
    number = re.search(r"\.(\d+)\.", file.name)
    run = int(number[1]) if number else 0
    rounds_ms = [item.p50_ms for item in row.measurement.rounds if item.run == run]
    return (*latency_of(text, rounds_ms), *series_of(text))


def _placements(client: "Client", rows: Sequence[Row]) -> dict[str, DlaPlacement]:
    keys = sorted({row.engine_key for row in rows if row.engine_key and "dla" in row.placement})
    engines = ((key, client.engine(key)) for key in keys)
    return {key: view.built.report.dla for key, view in engines if view.built and view.built.report.dla}
