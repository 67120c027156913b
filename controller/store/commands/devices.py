"""What a person says of a device: its name, its labels, whether it takes work, whether it is still there."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, func, select, update

from controller.model.codec import dump, load, load_facts
from controller.model.labels import check_labels
from controller.model.task import Device
from controller.store import tables as t
from controller.store.commands.bind import replan_device
from controller.store.commands.depart import remove_board
from controller.store.commands.register import CORDON, REMOVED, keep_facts, labelled
from controller.store.queries.tasks import LIVE_STATES
from controller.store.stored import StoredRow
from jetfleet.errors import BadInput, Conflict, NotFound

_LONGEST_REASON = 1000


def find_device(connection: Connection, name: str) -> StoredRow:
    """By its name or its id. Raises NotFound."""
    wanted = (t.device.c.name == name) | (t.device.c.id == name)
    row = connection.execute(select(t.device).where(wanted, t.device.c.held != REMOVED)).first()
    if row is None:
        raise NotFound(f"no device is called {name}", hint="`controller devices list` shows all")
    return row


def rename(connection: Connection, name: str, *, new: str) -> str:
    """The new name stays, whatever the agent asks for. Raises BadInput for one that is taken; returns the id."""
    row = find_device(connection, name)
    if not new.strip() or new != new.strip() or len(new) > 100:
        raise BadInput(f"{new!r} is not a valid name", expected="some text of at most 100 characters")
    if connection.execute(select(t.device.c.id).where(t.device.c.name == new, t.device.c.id != row.id)).first():
        raise BadInput(f"the name {new} is taken by another device", expected="a name that is free")
    _set(connection, row, name=new)
    return str(row.id)


def label(connection: Connection, name: str, *, labels: Mapping[str, str]) -> str:
    """Adds labels, which are facts; an empty value takes one away. Jobs are planned with them from now on."""
    row = find_device(connection, name)
    check_labels(labels)
    before = load(dict[str, str], row.labels)
    after = {key: value for key, value in {**before, **labels}.items() if value}
    content = connection.execute(select(t.facts.c.content).where(t.facts.c.id == row.facts_id)).scalar_one()
    gone = {f"label.{key}" for key in before} - {f"label.{key}" for key in after}
    facts = labelled({key: value for key, value in load_facts(content).items() if key not in gone}, dump(after))
    _set(connection, row, labels=dump(after), facts_id=keep_facts(connection, facts))
    replan_device(connection, Device(row.id, row.name, facts))
    return str(row.id)


def cordon(connection: Connection, name: str, *, reason: str) -> str:
    """It takes no new work until it is uncordoned; what runs is finished."""
    if len(reason) > _LONGEST_REASON:
        raise BadInput(f"a reason of {len(reason)} characters", expected=f"at most {_LONGEST_REASON}")
    row = find_device(connection, name)
    _set(connection, row, held=CORDON, cordoned=reason or "by hand")
    return str(row.id)


def uncordon(connection: Connection, name: str) -> str:
    """Also what three faults in a row did."""
    row = find_device(connection, name)
    _set(connection, row, held="", cordoned="")
    return str(row.id)


def adopt(connection: Connection, name: str, *, device_id: str) -> str:
    """From now on an agent with this id is the device of that name: a board that came back with an empty state."""
    row = find_device(connection, name)
    if connection.execute(select(t.device.c.id).where(t.device.c.id == device_id)).first():
        raise Conflict(f"{device_id} is a device of its own here", hint="remove it first: controller devices remove ID")
    _set(connection, row, also_ids=dump({**load(dict[str, str], row.also_ids), device_id: row.name}))
    return str(row.id)


def remove(connection: Connection, name: str, *, force: bool, alive: Collection[str]) -> str:
    """Takes it out of every list; what it measured stays, under its name with its id, and nothing waits for it any
    more. Raises Conflict unless `force` while it is online or has work.
    """
    row = find_device(connection, name)
    live = select(func.count()).where(t.task.c.device_id == row.id, t.task.c.state.in_(LIVE_STATES))
    tasks = connection.execute(live).scalar_one()
    why = "it is online" if row.session_id in alive else f"{tasks} unfinished tasks are for it" if tasks else ""
    if why and not force:
        raise Conflict(f"{row.name} is not removed: {why}", hint="stop its agent and cancel its jobs, or use --force")
    remove_board(connection, row.id, name=row.name)
    free = f"{row.name} ({row.id[:8]})"
    _set(connection, row, held=REMOVED, name=free, cordoned="removed", session_id=None)
    return str(row.id)


def _set(connection: Connection, row: StoredRow, **values: object) -> None:
    connection.execute(update(t.device).where(t.device.c.id == row.id).values(**values))
