"""What a transaction gives to do: tasks that became READY and hardware that became free. It tells whom to wake."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection, select

from controller.store import tables as t

T = TypeVar("T")

_KEY = "readiness"


@dataclass
class Readiness:
    """`device_ids` have a READY task bound to them; any device that fits may take a task of one of `demands` (JSON);
    in `bench_domains` an attempt has ended. `given_back` counts attempts that nobody will commit, by what ended them.
    """

    device_ids: set[str] = field(default_factory=set)
    demands: set[str] = field(default_factory=set)
    bench_domains: set[str] = field(default_factory=set)
    given_back: "Counter[str]" = field(default_factory=Counter)


@dataclass
class _Noted:
    readiness: Readiness = field(default_factory=Readiness)
    demand_ids: set[int] = field(default_factory=set)


def became_ready(connection: Connection, device_id: str | None, demand_id: int) -> None:
    if device_id is None:
        _noted(connection).demand_ids.add(demand_id)
    else:
        _noted(connection).readiness.device_ids.add(device_id)


def became_free(connection: Connection, bench_domain: str) -> None:
    _noted(connection).readiness.bench_domains.add(bench_domain)


def was_given_back(connection: Connection, end: str) -> None:
    _noted(connection).readiness.given_back[end] += 1


def watched(connection: Connection, change: Callable[[Connection], T]) -> tuple[T, Readiness]:
    """Runs a change; returns also what it gives to do, once it is committed."""
    connection.info[_KEY] = _Noted()
    answer = change(connection)
    noted = _noted(connection)
    if noted.demand_ids:
        contents = connection.execute(select(t.demand.c.content).where(t.demand.c.id.in_(noted.demand_ids)))
        noted.readiness.demands.update(contents.scalars())
    return answer, noted.readiness


def _noted(connection: Connection) -> _Noted:
    noted: _Noted = connection.info.setdefault(_KEY, _Noted())
    return noted
