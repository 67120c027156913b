"""Engines as people see them: what they are made from, what their build told, who uses them, and their files."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select, true

from controller.model.codec import load, load_facts
from controller.model.engine import Audited, BuildReport, Built, EngineView
from controller.model.job import Artifact, Role
from controller.model.result import FlagKind
from controller.model.task import DeviceClass, Recipe, TaskKind
from controller.store import part_tables
from controller.store import tables as t
from controller.store.clock import parse
from controller.store.queries.damage import damage_of
from controller.store.queries.listed import ListedRow, listed_row
from controller.store.queries.tasks import LIVE_STATES
from controller.store.stored import StoredRow
from jetfleet.errors import BadInput, NotFound

_KEY = re.compile(r"[0-9a-f]{6,64}")
_SHOWN = 12  # digits of a key in a message
_NAMED = 5  # engines in a message
# What a BENCH tells of an engine; its BUILD may leave any file.
_OF_A_BENCH = (Role.LAYERS, Role.LAYER_PROFILE)
_OF_ALL_SUBJECTS = (Role.ENVIRONMENT, Role.TELEMETRY)


def listed_engines(connection: Connection, *, limit: int, after: str = "") -> list[ListedRow[EngineView]]:
    """Those that are still wanted, then the newest, as listings hold them; `after` is the key of one of them."""
    wanted = _engines().limit(limit)
    if after:
        wanted = wanted.where(_behind(connection, after))
    return [listed_row(row.key, partial(_summary, row)) for row in connection.execute(wanted)]


def engine_view(connection: Connection, name: str, *, job_id: int = 0) -> EngineView:
    """The engine with this key, or these first digits of it, or that a variant of this key uses.

    Raises NotFound for none, BadInput for several.
    """
    row = _one(_found(connection, name, job_id), name)
    bench = _newest_bench(connection, row.key)
    found = (*_files_of_build(connection, row), *_files_of_bench(connection, bench))
    files = {(item.role, item.name): item for item in found}
    return replace(
        _view(row),
        variants=_variants(connection, row.key),
        files=tuple(sorted(files.values(), key=lambda item: (item.role.value, item.name))),
        audit=_audited(connection, bench) if bench else None,
    )


def known_engines(connection: Connection) -> set[str]:
    """Keys of the engines that are built or being built."""
    built = connection.execute(select(t.engine.c.key).where(t.engine.c.sha256.is_not(None))).scalars()
    coming = connection.execute(
        select(t.task.c.engine_key).where(t.task.c.kind == TaskKind.BUILD.value, t.task.c.state.in_(LIVE_STATES))
    ).scalars()
    return {*built, *(key for key in coming if key)}


def _engines() -> Select[Any]:
    return (
        select(t.engine, t.device.c.name.label("built_on"))
        .outerjoin(t.attempt, t.attempt.c.token == t.engine.c.built_by)
        .outerjoin(t.device, t.device.c.id == t.attempt.c.device_id)
        .order_by(t.engine.c.built_at.desc().nulls_first(), t.engine.c.key)
    )


def _behind(connection: Connection, key: str) -> ColumnElement[bool]:
    """What a listing holds behind the engine with this key; all of it, if that is gone."""
    built_at, later = t.engine.c.built_at, t.engine.c.key > key
    row = connection.execute(select(built_at).where(t.engine.c.key == key)).first()
    if row is None:
        return true()
    if row.built_at is None:
        return (built_at.is_(None) & later) | built_at.is_not(None)
    newest: str = row.built_at
    behind: ColumnElement[bool] = (built_at < newest) | ((built_at == newest) & later)
    return behind


def _found(connection: Connection, name: str, job_id: int) -> Sequence[StoredRow]:
    if _KEY.fullmatch(name):
        found = connection.execute(_engines().where(t.engine.c.key.startswith(name, autoescape=True))).all()
        if found:
            return found
    keys = (
        select(t.subject.c.engine_key)
        .join(t.variant, t.variant.c.id == t.subject.c.variant_id)
        .where(t.variant.c.key == name, *((t.variant.c.job_id == job_id,) if job_id else ()))
    )
    return connection.execute(_engines().where(t.engine.c.key.in_(keys))).all()


def _one(found: Sequence[StoredRow], name: str) -> StoredRow:
    if not found:
        raise NotFound(
            f"no engine is called {name}",
            expected="a key, 6 of its first digits or more, or a variant's key",
            hint="`controller engines list` shows them",
        )
    if len(found) > 1:
        some = [f"{row.key[:_SHOWN]} ({_told(row)})" for row in found[:_NAMED]]
        more = [f"{len(found) - _NAMED} more"] if len(found) > _NAMED else []
        raise BadInput(
            f"{len(found)} engines are called {name}",
            expected="a key, or the job whose engine is meant",
            hint=f"newest first: {', '.join([*some, *more])}",
        )
    return found[0]


def _told(row: StoredRow) -> str:
    """What tells engines of one name apart at a glance."""
    return f"{row.placement}, {f'built on {row.built_on}' if row.sha256 and row.built_on else 'not built'}"


def _view(row: StoredRow) -> EngineView:
    recipe = load(Recipe, row.recipe)
    built = None
    if row.sha256 is not None:
        report = load(BuildReport, row.report) if row.report else BuildReport()
        engine = Artifact(Role.ENGINE, "engine", row.sha256, row.size_bytes)
        built = Built(engine, row.build_s, row.power_mode, report)
    fields = tuple((name, str(value)) for name, value in load_facts(row.class_fields).items())
    return EngineView(
        key=row.key,
        recipe=recipe,
        device_class=DeviceClass(row.class_key, fields),
        built=built,
        built_on=row.built_on or "",
        built_at=parse(row.built_at) if row.built_at else None,
    )


def _summary(row: StoredRow) -> EngineView:
    """Without what may be long: a page of these has to fit into a message."""
    view = _view(row)
    view = replace(view, recipe=replace(view.recipe, artifacts=()))
    if view.built is None:
        return view
    report = view.built.report
    dla = replace(report.dla, fallbacks=()) if report.dla else None
    return replace(view, built=replace(view.built, report=replace(report, dla=dla, warnings=())))


def _variants(connection: Connection, key: str) -> tuple[str, ...]:
    using = select(t.subject.c.variant_id).where(t.subject.c.engine_key == key)
    keys = select(t.variant.c.key).where(t.variant.c.id.in_(using)).distinct().order_by(t.variant.c.key)
    return tuple(connection.execute(keys).scalars())


def _newest_bench(connection: Connection, key: str) -> StoredRow | None:
    """The newest measurement of a subject with this engine."""
    return connection.execute(
        select(t.measurement, t.device.c.name.label("device_name"))
        .join(t.device, t.device.c.id == t.measurement.c.device_id)
        .where(t.measurement.c.engine_key == key, t.measurement.c.subject_idx.is_not(None))
        .order_by(t.measurement.c.id.desc())
        .limit(1)
    ).first()


def _files_of_build(connection: Connection, row: StoredRow) -> Iterator[Artifact]:
    if row.built_by is not None:
        yield from _files(connection, row.built_by)


def _files_of_bench(connection: Connection, bench: StoredRow | None) -> Iterator[Artifact]:
    """Of a BENCH with several subjects, a file that ends in `-1` is of subject 1."""
    if bench is None:
        return
    count = len(connection.execute(select(t.subject.c.idx).where(t.subject.c.task_id == bench.task_id)).all())
    for item in _files(connection, bench.attempt_token):
        index = re.search(r"-(\d+)(?=\.|$)", item.name)
        mine = int(index[1]) == bench.subject_idx if index else count == 1
        if item.role in _OF_ALL_SUBJECTS or (mine and item.role in _OF_A_BENCH):
            yield item


def _files(connection: Connection, token: str) -> list[Artifact]:
    rows = connection.execute(select(t.attempt_artifact).where(t.attempt_artifact.c.attempt_token == token))
    return [Artifact(Role(row.role), row.name, row.sha256, row.size_bytes) for row in rows]


def _audited(connection: Connection, bench: StoredRow) -> Audited:
    evidence = connection.execute(
        select(part_tables.flag.c.evidence).where(
            part_tables.flag.c.measurement_id == bench.id,
            part_tables.flag.c.kind == FlagKind.PRECISION_NOT_HONOURED.value,
        )
    ).scalar()
    verdict = FlagKind.DAMAGED.value if damage_of(connection, bench.id) else bench.verdict
    return Audited(bench.id, bench.job_id, bench.device_name, verdict, evidence or "")
