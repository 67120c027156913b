"""Pages of listings: as much as was asked for and fits into a message, and where the next one begins."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from controller.store.queries.listed import ListedRow
from jetfleet.errors import BadInput

T = TypeVar("T")
M = TypeVar("M", bound="SizedMessage")

MOST_LISTED = 1000
_PAGE_BYTES = 2 << 20  # of the 4 MiB of a message


class SizedMessage(Protocol):
    """As much as is asked of a message here."""

    def ByteSize(self) -> int: ...


def page_size(asked: int, *, usual: int = MOST_LISTED) -> int:
    return min(asked or usual, MOST_LISTED)


def cursor_number(page: str) -> int:
    """Of a listing that goes by numbers; 0 for its first page. Raises BadInput."""
    if not page:
        return 0
    if not page.isdecimal() or len(page) > 18:
        raise BadInput(f"{page[:80]!r} is not a valid page", expected="what an answer said in next_page")
    return int(page)


def page_of(
    found: Sequence[T], size: int, *, encode: Callable[[T], M], cursor: Callable[[T], str]
) -> tuple[list[M], str]:
    """Messages of the first of them, one at least, and the cursor of the last if there are more.

    `found` was asked for one more than `size`, so that it is known whether there are.
    """
    messages: list[M] = []
    size_bytes = 0
    for item in found[:size]:
        message = encode(item)
        size_bytes += message.ByteSize()
        if messages and size_bytes > _PAGE_BYTES:
            break
        messages.append(message)
    return messages, cursor(found[len(messages) - 1]) if len(messages) < len(found) else ""


def page_of_rows(found: Sequence[ListedRow[T]], size: int, *, encode: Callable[[T], M]) -> tuple[list[M], str, int]:
    """The same of rows, and how many of them cannot be read: those take up room in a page, and are no messages."""
    messages: list[M] = []
    size_bytes = passed = 0
    for row in found[:size]:
        if row.view is not None:
            message = encode(row.view)
            size_bytes += message.ByteSize()
            if messages and size_bytes > _PAGE_BYTES:
                break
            messages.append(message)
        passed += 1
    return messages, found[passed - 1].cursor if passed < len(found) else "", passed - len(messages)
