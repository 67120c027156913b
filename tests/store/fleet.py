"""A store on a real file, driven without a server: what services would ask of it, in a few words."""

import itertools
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, text

from controller.core.content import content_digest
from controller.model.engine import BuildReport, Built, TimingCacheUse
from controller.model.facts import Facts
from controller.model.job import Artifact, JobSpec, Role
from controller.model.lease import BuildWork, Committed, Lease, Measured, Outcome, Registered, Registration
from controller.model.result import Estimate, Flag, FlagKind, Measurement, Round, Run, TensorCheck
from controller.model.task import Failure, FailureKind
from controller.model.view import JobView, Submitted
from controller.store.commands.blobs import keep_blobs, lose_blobs
from controller.store.commands.claim import claim
from controller.store.commands.commit import commit
from controller.store.commands.lost_files import give_up
from controller.store.commands.register import register
from controller.store.commands.submit import Submission, plan_job
from controller.store.queries import jobs
from controller.store.queries.devices import planning_devices
from controller.store.queries.engines import known_engines
from controller.store.queries.jobs import known_job
from controller.store.sqlite.database import FILE_NAME, open_database
from controller.store.sqlite.reader import Reader
from controller.store.sqlite.writer import Writer
from testing import measurements
from testing.devices import CPU

T = TypeVar("T")

DIGEST = "ab" * 32
ENGINE = Artifact(Role.ENGINE, "engine", "cd" * 32, 10)


class StoreFleet:
    """Sessions are named `DEVICE/1`, `DEVICE/2`, ...; everybody in `alive` is online."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE_NAME
        self.writer = Writer(open_database(folder))
        self.reader = Reader(self.path)
        self.alive: set[str] = set()
        self.lost_blobs: set[str] = set()  # no agent has them
        self.sought_blobs: set[str] = set()
        self._blobs: set[str] = set()
        self._numbers = itertools.count(1)

    def close(self) -> None:
        self.writer.close()
        self.reader.close()

    def write(self, work: Callable[[Connection], T]) -> T:
        return self.writer.submit(work).result(60)

    def statements(self, work: Callable[[Connection], object]) -> int:
        """How many statements SQLite runs for it."""

        def counted(connection: Connection) -> int:
            run: list[str] = []
            raw = connection.connection.dbapi_connection
            assert raw is not None
            raw.set_trace_callback(run.append)
            try:
                work(connection)
            finally:
                raw.set_trace_callback(None)
            return len(run)

        return self.write(counted)

    def sql(self, query: str, **values: object) -> list[dict[str, object]]:
        return self.reader.read(
            lambda connection: [dict(row._mapping) for row in connection.execute(text(query), values)]
        )

    def register(
        self,
        device: str,
        *,
        session: str | None = None,
        boot: str = "boot-1",
        serial: str = "",
        domain: str | None = None,
        facts: Facts = CPU,
        held: tuple[str, ...] = (),
    ) -> Registered:
        session = session or f"{device}/1"
        who = Registration(device, session, boot, serial, domain or f"domain of {device}", "0", device, facts, held)
        registered = self.write(lambda connection: register(connection, who, alive=set(self.alive)))
        self.alive.add(session)
        return registered

    def submit(self, spec: JobSpec, *, key: str | None = None, validate_only: bool = False) -> Submitted:
        key = key or f"key-{next(self._numbers)}"

        known = self.reader.read(lambda connection: known_job(connection, key, content=content_digest(spec)))
        if known is not None and not validate_only:
            return known
        self.upload({item.sha256 for variant in spec.variants for item in variant.artifacts})
        submission = self.planned(spec, key=key)
        return submission.planned if validate_only else self.write_all(submission)

    def planned(self, spec: JobSpec, *, key: str = "key") -> Submission:
        devices, engines = self.reader.read(
            lambda connection: (planning_devices(connection, alive=self.alive), known_engines(connection))
        )
        return plan_job(spec, devices, engines, key=key)

    def write_all(self, submission: Submission, *, budget_s: float = 1.0) -> Submitted:
        while (answer := self.write(lambda connection: submission.step(connection, budget_s=budget_s))) is None:
            pass
        return answer

    def claim(self, session: str, *, request: str | None = None) -> Lease | None:
        request = request or f"request-{next(self._numbers)}"
        gone = self.lost_blobs | self.sought_blobs
        self.write(lambda connection: lose_blobs(connection, gone))
        self.write(lambda connection: give_up(connection, self.lost_blobs))
        self.write(lambda connection: keep_blobs(connection, dict.fromkeys(self._blobs - gone, 1)))
        return self.write(
            lambda connection: claim(
                connection,
                session,
                request,
                alive=set(self.alive),
            )
        )

    def must_claim(self, session: str) -> Lease:
        lease = self.claim(session)
        assert lease is not None
        return lease

    def upload(self, digests: Collection[str]) -> None:
        self._blobs.update(digests)
        self.write(lambda connection: keep_blobs(connection, dict.fromkeys(digests, 1)))

    def commit(self, session: str, token: str, outcome: Outcome) -> Committed:
        if isinstance(outcome.end, Built):
            made = (outcome.end.engine, outcome.end.timing_cache)
            self.upload({item.sha256 for item in made if item is not None})
        sent = outcome if outcome.raw else replace(outcome, raw=repr(outcome).encode())
        return self.write(lambda connection: commit(connection, session, token, sent))

    def finish(self, session: str, lease: Lease) -> Committed:
        """Commits a success that fits the work."""
        work = lease.work
        if isinstance(work, BuildWork):
            return self.commit(session, lease.token, built())
        several = len(work.subjects) > 1
        return self.commit(session, lease.token, measured_together(len(work.subjects)) if several else measured())

    def run_all(self, session: str) -> list[str]:
        """Works until there is nothing more to claim; returns the names of what was done."""
        done = []
        while (lease := self.claim(session)) is not None:
            self.finish(session, lease)
            done.append(lease.name)
        return done

    def job(self, job_id: int) -> JobView:
        return self.reader.read(lambda connection: jobs.job_view(connection, job_id, progress={}))

    def states(self, job_id: int) -> list[tuple[str, str]]:
        return [(task.kind.value, task.state.value) for task in self.job(job_id).tasks]


def built(
    report: BuildReport | None = None,
    *,
    cache: str = "",
    handed: tuple[str, ...] = (),
    files: tuple[Artifact, ...] = (),
) -> Outcome:
    """`cache` is the digest of the timing cache that the build made of those that it was `handed`."""
    made = Artifact(Role.TIMING_CACHE, "timing.cache", cache, 7) if cache else None
    told = replace(report or BuildReport(), timing_cache=TimingCacheUse(handed, hits=3, misses=1) if cache else None)
    end = Built(ENGINE, 1.5, None, told, made)
    return Outcome(end, (Artifact(Role.LOG, "log", DIGEST, 3), *files), 1000)


def measured(*flags: FlagKind) -> Outcome:
    return Outcome(Measured((measurement(*flags),)), (Artifact(Role.LOG, "log", DIGEST, 3),), 1000)


def measured_together(subjects: int, *, whole: bool = True, files: tuple[Artifact, ...] = ()) -> Outcome:
    """What several subjects did at the same time; the whole has a throughput, and no latency."""
    rows = [measurement(p50_ms=2.0 + index, subject_index=index) for index in range(subjects)]
    absent = Estimate(None, reason="several subjects have no one latency")
    numbers = {**dict.fromkeys(("p50_ms", "p90_ms", "p99_ms"), absent), "throughput_per_s": Estimate(480.0)}
    total = replace(measurement(subject_index=None), metrics=numbers, rounds=())
    return Outcome(Measured((*rows, *((total,) if whole else ()))), files, 1000)


def failed(kind: FailureKind, message: str = "it broke") -> Outcome:
    return Outcome(Failure(kind, message, phase="measure", exit_code=1), (), None)


def _run(index: int, p50_ms: float) -> Run:
    samples = Artifact(Role.SAMPLES, f"samples-0-{index + 1}.npy", DIGEST, 2064)
    metrics = {"p50_ms": p50_ms, "throughput_per_s": 1000 / p50_ms}
    return Run(index, 250, 0.5, 0.1, 50, 0.3, metrics, p50_ms - 0.02, p50_ms + 0.02, samples=samples)


def measurement(*flags: FlagKind, p50_ms: float = 2.0, subject_index: int | None = 0) -> Measurement:
    return measurements.measurement(
        subject_index=subject_index,
        n=500,
        window_s=1.0,
        warmup_n=100,
        rounds=(Round(250, 2.0, 2.1), Round(250, 2.01, 2.1, run=1)),
        runs=tuple(_run(index, p50_ms + 0.01 * index) for index in range(2)),
        checks=(TensorCheck("y", True, 1e-6, 1e-5, 1.0, 90.0, None, None, "close"),),
        accuracy_n=540,
        flags=tuple(Flag(kind, f"evidence of {kind.value}") for kind in flags),
        samples=Artifact(Role.SAMPLES, "samples.npy", DIGEST, 4128),
        circumstances={"gpu_clocks": "locked at 1020 MHz", "inflight": "1"},
        metrics={
            "p50_ms": Estimate(p50_ms, p50_ms - 0.1, p50_ms + 0.1),
            "p90_ms": Estimate(3.0),
            "p99_ms": Estimate(None, reason="n=120 < 368"),
            "mean_ms": Estimate(2.1),
            "compute_p50_ms": Estimate(1.5),
            "throughput_per_s": Estimate(480.0),
            "accuracy": Estimate(0.98),
        },
    )
