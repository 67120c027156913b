"""The tables. Ours, and free to change; people read the views (views.py). The indexes forbid what must never be.
Times are UTC ISO 8601 text of the controller's clock. Plain data that is never searched by column is canonical JSON.
"""

from collections.abc import Iterable
from enum import Enum

from sqlalchemy import Column, ForeignKey, Index, MetaData, Table, UniqueConstraint, text
from sqlalchemy.types import Float, Integer, Text

from controller.core.lifecycle import OPEN_ATTEMPT, TERMINAL
from controller.core.scheduler import ORDER
from controller.model.task import AttemptState, BlobState, SubmitState, TaskKind, TaskState

metadata = MetaData()


def _among(states: Iterable[Enum]) -> str:
    """For partial indexes, and for the statements that are to use them: SQLite wants the same constants in both."""
    return f"state IN ({', '.join(repr(state.value) for state in states)})"


def _columns(
    kind: "type[Text | Integer | Float[float]]", *names: str, nullable: bool = False, default: str | None = None
) -> "list[Column[object]]":
    return [Column(name, kind, nullable=nullable, server_default=default) for name in names]


job = Table(
    "job",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("idempotency_key", Text, nullable=False, unique=True),
    *_columns(Text, "name", "model_name"),
    Column("priority", Integer, nullable=False),
    Column("measure", Text, nullable=False),  # model.Measure as JSON
    *_columns(Integer, "build_limit_s", "bench_limit_s"),
    Column("source", Text, nullable=False),  # job.yaml as submitted
    Column("labels", Text, nullable=False, server_default="{}"),  # names and values as JSON
    Column("created_at", Text, nullable=False),
    Column("deadline_at", Text),  # for people: when what is unfinished times out, as the wall clock went at the submit
    Column("deadline_steady_s", Float),  # the same by the clock that decides; see steady.py
    Column("cancel_asked_at", Text),  # by somebody, or by the deadline
    Column("timed_out_at", Text),  # the deadline passed before anybody cancelled, and before all tasks had ended
    Column("retry_of", Integer, ForeignKey("job.id"), index=True),
    Column("submit_state", Text, nullable=False, server_default=SubmitState.DONE.value),
    *_columns(Text, "content_digest", default=""),  # of what was asked under the key; empty: before 0.2
    *_columns(Text, "submitted_by", default=""),  # user; empty: before there were users
    sqlite_autoincrement=True,
)
Index("job_by_model", job.c.model_name)
ACCEPTED = job.c.submit_state.not_in([SubmitState.WRITING.value, SubmitState.REMOVED.value])

variant = Table(
    "variant",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", Integer, ForeignKey("job.id"), nullable=False),
    *_columns(Text, "key", "runtime", "precision"),
    Column("batch", Integer, nullable=False),
    Column("placement", Text, nullable=False),
    Column("content", Text, nullable=False),  # model.Variant as JSON: inputs, artifacts, check, options
    UniqueConstraint("job_id", "key"),
)

device = Table(
    "device",
    metadata,
    Column("id", Text, primary_key=True),  # random, from the agent's state folder
    Column("name", Text, nullable=False, unique=True),
    Column("hardware_serial", Text, nullable=False),
    Column("facts_id", Integer, ForeignKey("facts.id"), index=True, nullable=False),
    Column("session_id", Text, index=True),  # the current session; null after Leave
    Column("cordoned", Text, nullable=False, server_default=""),  # the reason
    *_columns(Text, "first_seen_at", "last_seen_at"),
    Column("held", Text, nullable=False, server_default=""),  # by a person: "cordon" or "removed"
    *_columns(Text, "labels", "also_ids", default="{}"),  # JSON: given by a person; ids that mean it, too
    *_columns(Integer, "dropped_results", default="0"),  # that did not count, and made room for newer ones
)

session = Table(
    "session",
    metadata,
    Column("id", Text, primary_key=True),
    Column("device_id", Text, ForeignKey("device.id"), nullable=False),
    *_columns(Text, "boot_id", "bench_domain", "agent_version", "started_at"),
    *_columns(Text, "ended_at", "end_reason", nullable=True),
)

facts = Table(
    "facts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("content", Text, nullable=False, unique=True),  # model.Facts as JSON
)

engine = Table(
    "engine",
    metadata,
    Column("key", Text, primary_key=True),
    *_columns(Text, "runtime", "runtime_version", "precision", "lowering", "placement"),
    Column("recipe", Text, nullable=False),  # model.Recipe as JSON
    *_columns(Text, "class_key", "class_fields"),
    Column("sha256", Text),  # null until built
    Column("size_bytes", Integer),
    Column("build_s", Float),
    Column("power_mode", Text),
    Column("report", Text),  # model.BuildReport as JSON
    Column("built_by", Text),  # attempt token
    Column("built_at", Text),
)

# What builders timed, for the next BUILD of the same class and version; more than one after concurrent BUILDs.
timing_cache = Table(
    "timing_cache",
    metadata,
    Column("id", Integer, primary_key=True),
    *_columns(Text, "class_key", "runtime", "runtime_version", "sha256"),
    Column("size_bytes", Integer, nullable=False),
    Column("made_at", Text, nullable=False),
    Column("made_by", Text, ForeignKey("attempt.token"), index=True, nullable=False),
    UniqueConstraint("class_key", "runtime", "runtime_version", "sha256"),
)

# The truth about files: nobody looks for one on the disk to know whether it is there.
blob = Table(
    "blob",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("size_bytes", Integer, nullable=False),
    *_columns(Text, "state", "created_at"),
)
_GONE = _among([BlobState.SOUGHT, BlobState.LOST])
GONE = text(f"blob.{_GONE}")
Index("blob_gone", blob.c.sha256, sqlite_where=text(_GONE))

# What decides which devices can take a task. Few of them are shared by many tasks.
demand = Table(
    "demand",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("content", Text, nullable=False, unique=True),  # model.Demand as JSON
)

task = Table(
    "task",
    metadata,
    Column("id", Integer, primary_key=True),
    *_columns(Text, "kind", "name", "state"),
    Column("job_id", Integer, ForeignKey("job.id"), nullable=False),  # BUILD: the first job that asked
    Column("priority", Integer, nullable=False),
    Column("demand_id", Integer, ForeignKey("demand.id"), nullable=False),
    Column("time_limit_s", Integer, nullable=False),
    Column("engine_key", Text, ForeignKey("engine.key"), index=True),  # BUILD: what it makes
    Column("device_id", Text, ForeignKey("device.id")),  # BENCH: bound to
    Column("conditions", Text),  # BENCH of an `any` target: who may take it
    Column("schedule", Text),  # BENCH: ALONE, INTERLEAVED, CONCURRENT
    Column("because_of", Integer, ForeignKey("task.id"), index=True),  # SKIPPED: whom to blame
    Column("refusal", Text),  # FAILED or SKIPPED without an attempt of its own: why
    Column("created_at", Text, nullable=False),
    Column("ended_at", Text),
    sqlite_autoincrement=True,
)
_ORDERED = {**task.c, "task_id": task.c.id}
BEST_FIRST = tuple(_ORDERED[name].desc() if larger_first else _ORDERED[name] for name, larger_first in ORDER)
READY = task.c.state == TaskState.READY.value
# Demand by demand in the order of the scheduler: a claim looks at the first task of each demand that fits.
Index("task_by_state", task.c.state, task.c.device_id, task.c.demand_id, *BEST_FIRST)
Index("task_by_job", task.c.job_id)
# A BUILD belongs to its engine key: at most one that is not over.
_LIVE = _among(state for state in TaskState if state not in TERMINAL)
LIVE_BUILD = text(f"kind = '{TaskKind.BUILD.value}' AND {_LIVE}")
Index("one_live_build_per_engine", task.c.engine_key, unique=True, sqlite_where=LIVE_BUILD)

# Jobs attach to BUILDs; a BENCH has its job in task.job_id.
job_build = Table(
    "job_build",
    metadata,
    Column("job_id", Integer, ForeignKey("job.id"), primary_key=True),
    Column("task_id", Integer, ForeignKey("task.id"), index=True, primary_key=True),
)

# What others are held against; the newest of a name and class counts. A job that was removed stays named.
baseline = Table(
    "baseline",
    metadata,
    Column("id", Integer, primary_key=True),
    *_columns(Text, "name", "device_class"),
    Column("job_id", Integer, nullable=False),
    *_columns(Text, "set_at", "set_by"),
)
Index("baseline_by_name", baseline.c.name)

# What runs inside a BENCH: the many-to-many of tasks and their input engines.
subject = Table(
    "subject",
    metadata,
    Column("task_id", Integer, ForeignKey("task.id"), primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("variant_id", Integer, ForeignKey("variant.id"), nullable=False, index=True),
    Column("engine_key", Text, ForeignKey("engine.key")),  # null until bound to a device
    Column("placement", Text, nullable=False),
    *_columns(Integer, "streams", "batch"),
)
Index("subject_by_engine", subject.c.engine_key, subject.c.variant_id)

OPEN = text(_among(state for state in AttemptState if state in OPEN_ATTEMPT))
attempt = Table(
    "attempt",
    metadata,
    Column("token", Text, primary_key=True),
    Column("task_id", Integer, ForeignKey("task.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("device_id", Text, ForeignKey("device.id"), nullable=False),
    Column("session_id", Text, ForeignKey("session.id"), nullable=False),
    *_columns(Text, "request_id", "bench_domain"),
    Column("facts_id", Integer, ForeignKey("facts.id"), index=True, nullable=False),
    Column("leased_at", Text, nullable=False),
    *_columns(Text, "started_at", "ended_at", "failure_kind", "failure_message", "phase", nullable=True),
    Column("exit_code", Integer),
    Column("signal", Text),
    Column("peak_rss_bytes", Integer),
    Column("outcome_sha256", Text),  # of the commit that ended it; null: the controller did
    UniqueConstraint("session_id", "request_id"),
    UniqueConstraint("task_id", "number"),
)
Index("one_open_attempt_per_task", attempt.c.task_id, unique=True, sqlite_where=OPEN)
Index("one_open_attempt_per_bench_domain", attempt.c.bench_domain, unique=True, sqlite_where=OPEN)
Index("one_commit_per_task", attempt.c.task_id, unique=True, sqlite_where=text(_among([AttemptState.COMMITTED])))
Index("attempt_by_session", attempt.c.session_id, attempt.c.state)

# Files that an attempt left: logs, environments, samples.
attempt_artifact = Table(
    "attempt_artifact",
    metadata,
    Column("attempt_token", Text, ForeignKey("attempt.token"), primary_key=True),
    Column("role", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("size_bytes", Integer, nullable=False),
)

measurement = Table(
    "measurement",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("task_id", Integer, ForeignKey("task.id"), nullable=False),
    Column("attempt_token", Text, ForeignKey("attempt.token"), index=True, nullable=False),
    Column("job_id", Integer, ForeignKey("job.id"), nullable=False),
    Column("subject_idx", Integer),  # null: the whole task
    Column("variant_id", Integer, ForeignKey("variant.id")),  # null: the whole of a task whose subjects differ in it
    Column("engine_key", Text, ForeignKey("engine.key"), index=True),  # null: likewise
    Column("device_id", Text, ForeignKey("device.id"), nullable=False),
    Column("facts_id", Integer, ForeignKey("facts.id"), index=True, nullable=False),
    *_columns(Text, "measured_at", "provenance"),
    Column("verdict", Text, nullable=False),  # derived from the flags at commit; kept so that SQL can filter on it
    Column("n", Integer, nullable=False),
    *_columns(Float, "window_s", "warmup_s"),
    *_columns(Integer, "warmup_n", "processes", "accuracy_n"),
    Column("samples_sha256", Text),
    Column("samples_bytes", Integer),
    Column("digest", Text, nullable=False, server_default=""),  # of all that this row says; empty: written by 0.1
    Column("damage", Text, nullable=False, server_default=""),  # why it is not what was written; empty: none was found
    Column("circumstances", Text, nullable=False, server_default="{}"),  # JSON, by the names of jetfleet.circumstances
    Column("repeats_of", Text, nullable=False, server_default=""),  # what equal benches share; empty: it had no runs
    Column("repeats", Integer),  # benches of the device that its intervals rest on; null: none did
    sqlite_autoincrement=True,
)
Index("one_measurement_per_subject", measurement.c.task_id, text("coalesce(subject_idx, -1)"), unique=True)
Index("measurement_by_job", measurement.c.job_id, measurement.c.verdict)
Index("measurement_by_repeats", measurement.c.repeats_of)
Index("measurement_by_device", measurement.c.device_id)
Index("measurement_by_variant", measurement.c.variant_id, measurement.c.device_id)
