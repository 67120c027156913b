"""The numbers of /metrics: their one list, and the text that Prometheus reads. docs/operations.md has the same list."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from controller.service.options import ServeOptions
from controller.service.tally import Durations, RunningTally
from controller.store.queries.census import Census
from controller.store.sqlite.database import FILE_NAME
from jetfleet.version import PROTOCOL, VERSION

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class ScrapedNumber:
    """`kind` is gauge, counter or histogram; a counter's name gets `_total`."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        return f"{self.name}_total" if self.kind == "counter" else self.name


NUMBERS = (
    ScrapedNumber("jetfleet_build_info", "gauge", "1, with what runs", ("version", "protocol")),
    ScrapedNumber("jetfleet_jobs", "gauge", "accepted jobs: running, waiting, ended", ("state",)),
    ScrapedNumber("jetfleet_tasks", "gauge", "tasks by state", ("state",)),
    ScrapedNumber("jetfleet_queue_oldest_seconds", "gauge", "age of the oldest task that is ready to run; 0: none is"),
    ScrapedNumber("jetfleet_devices", "gauge", "devices, each once: online, paused, cordoned, offline", ("state",)),
    ScrapedNumber(
        "jetfleet_devices_behind", "gauge", "agents that are heard from, of another version than this controller"
    ),
    ScrapedNumber(
        "jetfleet_devices_refused", "gauge", "boards that were turned away in the last day: another protocol"
    ),
    ScrapedNumber(
        "jetfleet_attempts_ended",
        "counter",
        "attempts by outcome: BUILT, MEASURED, a failure's kind; RETURNED, EXPIRED, REBOOTED: tried again",
        ("outcome",),
    ),
    ScrapedNumber("jetfleet_calls", "counter", "RPCs by method and status", ("method", "code")),
    ScrapedNumber(
        "jetfleet_call_seconds", "histogram", "how long RPCs took; Claim and WatchJob wait on purpose", ("method",)
    ),
    ScrapedNumber("jetfleet_writer_queue", "gauge", "changes that wait for the database"),
    ScrapedNumber("jetfleet_write_seconds", "histogram", "from asking for a change until it is on disk"),
    ScrapedNumber("jetfleet_blob_bytes", "gauge", "files that are kept"),
    ScrapedNumber("jetfleet_blobs_gone", "gauge", "files that are lost, or asked for from agents"),
    ScrapedNumber("jetfleet_database_bytes", "gauge", "the database file"),
    ScrapedNumber("jetfleet_disk_free_bytes", "gauge", "free on the disk of the state folder"),
    ScrapedNumber("jetfleet_disk_watermark_bytes", "gauge", "no upload is taken that would leave less: --min-free"),
    ScrapedNumber("jetfleet_orphans", "gauge", "results that came too late, kept and not counted"),
    ScrapedNumber("jetfleet_dead_letters", "gauge", "results that could not be taken"),
    ScrapedNumber("jetfleet_removals", "counter", "runs of gc that ended, by outcome: DONE, FAILED", ("outcome",)),
    ScrapedNumber("jetfleet_removed", "counter", "removed by gc, by kind", ("kind",)),
    ScrapedNumber("jetfleet_removed_bytes", "counter", "of files that gc removed"),
    ScrapedNumber("jetfleet_removal_timestamp_seconds", "gauge", "when gc ended last; 0: not since the start"),
    ScrapedNumber(
        "jetfleet_certificate_expiry_timestamp_seconds",
        "gauge",
        "the first expiry among the boards that are heard from; 0: none has a certificate",
    ),
    ScrapedNumber("jetfleet_audit_entries", "gauge", "entries of the audit log: it never shrinks"),
)


@dataclass(frozen=True)
class Snapshot:
    """All that one scrape says."""

    options: ServeOptions
    census: Census
    tally: RunningTally
    writer_queue: int
    refused: int


def exposition(snapshot: Snapshot) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_Numbers(snapshot))
    return generate_latest(registry)


class _Numbers(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._values = {**_of_state(snapshot), **_of_tally(snapshot.tally), **_of_disk(snapshot.options)}

    def collect(self) -> Iterator[Metric]:
        for number in NUMBERS:
            yield _family(number, self._values[number.name])


_Labelled = dict[tuple[str, ...], "float | Durations"]


def _of_state(snapshot: Snapshot) -> dict[str, _Labelled]:
    found = snapshot.census
    expiry = found.first_expiry.timestamp() if found.first_expiry else 0.0
    return {
        "jetfleet_build_info": {(VERSION, str(PROTOCOL)): 1},
        "jetfleet_jobs": {(state,): count for state, count in found.jobs.items()},
        "jetfleet_tasks": {(state,): count for state, count in found.tasks.items()},
        "jetfleet_queue_oldest_seconds": {(): found.oldest_ready_s},
        "jetfleet_devices": {(state,): count for state, count in found.devices.items()},
        "jetfleet_devices_behind": {(): found.behind},
        "jetfleet_devices_refused": {(): snapshot.refused},
        "jetfleet_writer_queue": {(): snapshot.writer_queue},
        "jetfleet_blob_bytes": {(): found.blob_bytes},
        "jetfleet_blobs_gone": {(): found.blobs_gone},
        "jetfleet_orphans": {(): found.orphans},
        "jetfleet_dead_letters": {(): found.dead_letters},
        "jetfleet_certificate_expiry_timestamp_seconds": {(): expiry},
        "jetfleet_audit_entries": {(): found.audit_entries},
    }


def _of_tally(tally: RunningTally) -> dict[str, _Labelled]:
    return {
        "jetfleet_attempts_ended": {(outcome,): count for outcome, count in tally.attempts.items()},
        "jetfleet_calls": {(method, code): count for (method, code), count in tally.calls.items()},
        "jetfleet_call_seconds": {(method,): durations for method, durations in tally.call_s.items()},
        "jetfleet_write_seconds": {(): tally.write_s},
        "jetfleet_removals": {(outcome,): tally.removal_runs[outcome] for outcome in ("DONE", "FAILED")},
        "jetfleet_removed": {(kind,): count for kind, count in tally.removals.items()},
        "jetfleet_removed_bytes": {(): tally.freed_bytes},
        "jetfleet_removal_timestamp_seconds": {(): tally.removal_ended_at},
    }


def _of_disk(options: ServeOptions) -> dict[str, _Labelled]:
    disk, database = shutil.disk_usage(options.state_dir), options.state_dir / FILE_NAME
    return {
        "jetfleet_database_bytes": {(): database.stat().st_size},
        "jetfleet_disk_free_bytes": {(): disk.free},
        "jetfleet_disk_watermark_bytes": {(): disk.total * options.min_free_percent / 100},
    }


def _family(number: ScrapedNumber, values: _Labelled) -> Metric:
    if number.kind == "histogram":
        histogram = HistogramMetricFamily(number.name, number.help, labels=number.labels)
        for labels, durations in values.items():
            if isinstance(durations, Durations):
                histogram.add_metric(labels, durations.cumulative(), durations.sum_s)
        return histogram
    make = CounterMetricFamily if number.kind == "counter" else GaugeMetricFamily
    family = make(number.name, number.help, labels=number.labels)
    for labels, value in values.items():
        if not isinstance(value, Durations):
            family.add_metric(labels, float(value))
    return family
