"""Devices and sessions: who is registered, with which facts, under which session."""

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import Connection, func, insert, select, update

from controller.model.codec import dump, load
from controller.model.facts import Facts
from controller.model.lease import Registered, Registration
from controller.model.task import AttemptState, Device
from controller.store import tables as t
from controller.store.clock import now_text
from controller.store.commands.attempts import close_attempts
from controller.store.commands.bind import replan_device
from controller.store.queries.tasks import OPEN_STATES
from controller.store.stored import StoredRow
from jetfleet.errors import Conflict

CORDON, REMOVED = "cordon", "removed"  # what a person made of a device
MOST_DEVICES = 10_000


def register(
    connection: Connection, who: Registration, *, alive: Collection[str], most_devices: int = MOST_DEVICES
) -> Registered:
    """Opens or confirms a session, and closes what its predecessors left open and the agent does not hold.

    `alive` are the sessions heard from a moment ago. Raises Conflict if one of them is another board with this id, and
    for a new device where there are `most_devices` already.
    """
    who = replace(who, device_id=same_board(connection, who, alive=alive))
    known: StoredRow = connection.execute(select(t.device).where(t.device.c.id == who.device_id)).first()
    before = _session(connection, known.session_id) if known else None
    is_confirmed = before is not None and before.id == who.session_id
    if before and not is_confirmed:
        _refuse_twin(who, known, before, alive=alive)
    facts, held, cordoned = _as_people_say(known, who.facts, is_confirmed=is_confirmed)
    facts_id = keep_facts(connection, facts)
    name = known.name if known else _free_name(connection, who)
    if known is None:
        _insert_device(connection, who, name=name, facts_id=facts_id, most=most_devices)
    if _session(connection, who.session_id) is None:
        _insert_session(connection, who)
        _end_older_sessions(connection, who)
    connection.execute(
        update(t.device)
        .where(t.device.c.id == who.device_id)
        .values(
            session_id=who.session_id,
            facts_id=facts_id,
            hardware_serial=who.hardware_serial,
            last_seen_at=now_text(),
            cordoned=cordoned,
            held=held,
        )
    )
    if known and known.facts_id != facts_id:
        replan_device(connection, Device(who.device_id, name, facts, who.bench_domain))
    return _registered(connection, name, who)


def _as_people_say(known: StoredRow | None, facts: Facts, *, is_confirmed: bool) -> tuple[Facts, str, str]:
    """The facts with a person's labels, whether a person holds the device, and why it is cordoned."""
    if known is None:
        return facts, "", ""
    # A new agent process is somebody's answer to a cordon, but not to one that a person set.
    held = CORDON if known.held == CORDON else ""
    return labelled(facts, known.labels), held, known.cordoned if is_confirmed or held else ""


def _session(connection: Connection, session_id: str | None) -> StoredRow | None:
    return connection.execute(select(t.session).where(t.session.c.id == session_id)).first()


def _insert_device(connection: Connection, who: Registration, *, name: str, facts_id: int, most: int) -> None:
    """Raises Conflict where the controller knows as many devices as it takes."""
    count = connection.execute(
        select(func.count()).select_from(t.device).where(t.device.c.held != REMOVED)
    ).scalar_one()
    if count >= most:
        raise Conflict(
            f"this controller knows {count} devices, and takes no more than {most}",
            hint="remove those that are gone: `controller devices list`, `controller devices remove NAME`",
        )
    moment = now_text()
    connection.execute(
        insert(t.device).values(
            id=who.device_id,
            name=name,
            hardware_serial=who.hardware_serial,
            facts_id=facts_id,
            first_seen_at=moment,
            last_seen_at=moment,
        )
    )


def _insert_session(connection: Connection, who: Registration) -> None:
    connection.execute(
        insert(t.session).values(
            id=who.session_id,
            device_id=who.device_id,
            boot_id=who.boot_id,
            bench_domain=who.bench_domain,
            agent_version=who.agent_version,
            started_at=now_text(),
        )
    )


def _refuse_twin(who: Registration, known: StoredRow, before: StoredRow, *, alive: Collection[str]) -> None:
    """Two boards flashed from one image share an id. The same serial, or the same boot, is the same board."""
    same_serial = bool(who.hardware_serial) and who.hardware_serial == known.hardware_serial
    if before.id not in alive or before.boot_id == who.boot_id or same_serial:
        return
    raise Conflict(
        f"two live devices say they are {known.name} (id {who.device_id[:8]}): "
        f"serial {known.hardware_serial or 'unknown'}, boot {str(before.boot_id)[:8]}; and "
        f"serial {who.hardware_serial or 'unknown'}, boot {who.boot_id[:8]}",
        hint="boards flashed from one image share the agent's state folder: delete `device_id` in one of them",
    )


def _end_older_sessions(connection: Connection, who: Registration) -> None:
    older = connection.execute(
        select(t.session).where(
            t.session.c.device_id == who.device_id, t.session.c.id != who.session_id, t.session.c.ended_at.is_(None)
        )
    ).all()
    for row in older:
        rebooted = row.boot_id != who.boot_id
        close_attempts(
            connection,
            (t.attempt.c.session_id == row.id) & t.attempt.c.token.not_in(who.held),
            AttemptState.REBOOTED if rebooted else AttemptState.EXPIRED,
            message="the device rebooted" if rebooted else "the agent was restarted",
        )
        connection.execute(
            update(t.session)
            .where(t.session.c.id == row.id)
            .values(ended_at=now_text(), end_reason="rebooted" if rebooted else "replaced")
        )
    connection.execute(
        update(t.attempt)
        .where(t.attempt.c.token.in_(who.held), t.attempt.c.state.in_(OPEN_STATES))
        .where(t.attempt.c.device_id == who.device_id)
        .values(session_id=who.session_id)
    )


def _registered(connection: Connection, name: str, who: Registration) -> Registered:
    found = connection.execute(
        select(t.attempt.c.token, t.attempt.c.state).where(
            t.attempt.c.token.in_(who.held), t.attempt.c.device_id == who.device_id
        )
    ).all()
    gone = (AttemptState.EXPIRED.value, AttemptState.REBOOTED.value)
    kept = {row.token for row in found if row.state not in gone}
    still_open = tuple(row.token for row in found if row.state in OPEN_STATES)
    return Registered(name, tuple(sorted(set(who.held) - kept)), still_open)


def keep_facts(connection: Connection, facts: Facts) -> int:
    content = dump(dict(facts))
    found = connection.execute(select(t.facts.c.id).where(t.facts.c.content == content)).scalar()
    if found is not None:
        return int(found)
    return int(connection.execute(insert(t.facts).values(content=content).returning(t.facts.c.id)).scalar_one())


def same_board(connection: Connection, who: Registration, *, alive: Collection[str]) -> str:
    """The id of the device that this one is: its own, or where it is new that of the board which came back with an
    empty state folder. That is sure where the hardware's serial and the name are the same, and the old one is not
    alive; else a person says so (`devices adopt`).
    """
    rows = connection.execute(select(t.device)).all()
    if any(row.id == who.device_id for row in rows):
        return who.device_id
    for row in rows:
        if who.device_id in load(dict[str, str], row.also_ids):
            return str(row.id)
    if who.enrolled:  # its enrolment decided who it is: a serial number is only a board's own word
        return who.device_id
    same = [row for row in rows if row.name == who.name and row.hardware_serial == who.hardware_serial]
    ours = who.hardware_serial or "label.local" in who.facts  # the controller's own agents: one for each name
    sure = [row for row in same if ours and row.session_id not in alive and row.held != REMOVED]
    return str(sure[0].id) if sure else who.device_id


def labelled(facts: Facts, labels: str) -> Facts:
    """Facts with the labels that a person gave the device, which go before those of its agent."""
    return {**facts, **{f"label.{name}": value for name, value in load(dict[str, str], labels).items()}}


def _free_name(connection: Connection, who: Registration) -> str:
    """Raises Conflict for a name that somebody asked for and that another device has."""
    wanted = who.name or who.device_id[:8]
    taken = set(connection.execute(select(t.device.c.name)).scalars())
    if wanted in taken and who.name_asked:
        raise Conflict(
            f"the name {wanted} is taken by another device, and this one is new here (id {who.device_id})",
            expected="a --name that is free",
            hint=f"if it is the same board: controller devices adopt {wanted} {who.device_id}",
        )
    count = connection.execute(select(func.count()).select_from(t.device)).scalar_one()
    return next(name for name in [wanted, *(f"{wanted}-{k}" for k in range(2, count + 3))] if name not in taken)
