"""Rows of a listing: each as people see it, or known to be unreadable, so that a damaged one takes no other along."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from controller.store.queries.measurements import UNREADABLE

T = TypeVar("T")


@dataclass(frozen=True)
class ListedRow(Generic[T]):
    """`view` is None where the row is not what was written any more; `cursor` is where the next page goes on."""

    cursor: str
    view: T | None


def listed_row(cursor: object, look: Callable[[], T]) -> ListedRow[T]:
    try:
        return ListedRow(str(cursor), look())
    except UNREADABLE:
        return ListedRow(str(cursor), None)


def readable(rows: Iterable[ListedRow[T]]) -> list[T]:
    return [row.view for row in rows if row.view is not None]
