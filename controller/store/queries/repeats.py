"""What earlier benches on a device found: what the next one's interval rests on."""

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, select

from controller.core.repeats import PastValue
from controller.model.result import VALID
from controller.store import part_tables as parts_of
from controller.store import tables as t
from controller.store.sqlite.prepared import PreparedStatement
from jetfleet.stats.repeats import ENOUGH_REPEATS

NEWEST = 40  # benches: they tell the device's noise as it is now


def past_values(
    connection: Connection, own: str, *, device_id: str, provenance: str, metrics: Iterable[str]
) -> dict[str, list[PastValue]]:
    """By metric, of the newest VALID benches of several runs: of what `own` is a repeat of, where it has enough
    of them, else of all that the device did under any circumstances.
    """
    benches = _OWN.all(connection, own_=own)
    if len(benches) < ENOUGH_REPEATS:
        benches = _OF_DEVICE.all(connection, device_id_=device_id, provenance_=provenance)
    things = {bench.id: bench.repeats_of for bench in benches}
    found: dict[str, list[PastValue]] = {name: [] for name in metrics}
    columns = (parts_of.metric.c[name] for name in ("measurement_id", "name", "value"))
    wanted = select(*columns).where(parts_of.metric.c.measurement_id.in_(list(things)))
    for number, name, value in connection.execute(wanted):
        if name in found and value is not None:
            found[name].append(PastValue(things[number], value))
    return found


_BENCHES = (
    select(t.measurement.c.id, t.measurement.c.repeats_of)
    .where(t.measurement.c.verdict == VALID, t.measurement.c.damage == "")
    .order_by(t.measurement.c.id.desc())
    .limit(NEWEST)
)
_OWN = PreparedStatement(_BENCHES.where(t.measurement.c.repeats_of == bindparam("own_")))
_OF_DEVICE = PreparedStatement(
    _BENCHES.where(
        t.measurement.c.device_id == bindparam("device_id_"),
        t.measurement.c.provenance == bindparam("provenance_"),
        t.measurement.c.repeats_of != "",
    )
)
