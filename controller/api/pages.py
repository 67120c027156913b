"""Listings, asked for page by page: no answer grows with the fleet's age, and whoever has enough asks for no more."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from jetfleet.errors import BadInput

_MOST_ASKED = 10_000  # at once; the controller answers with fewer
_MOST_COUNTED = 2**63 - 1


def listed(
    ask: Callable[[Any], Any],
    request: Any,
    items: str,
    *,
    limit: int | None,
    note: Callable[[Any], None] = lambda _: None,
) -> Iterator[Any]:
    """What stands under `items` in the answers, `limit` of them at most; None: all. `note` hears of each answer.

    `request` has a limit and a page, an answer the next page. Raises BadInput for what cannot be counted to.
    """
    if limit is not None:
        if not isinstance(limit, int) or not 0 <= limit <= _MOST_COUNTED:
            raise BadInput(f"{limit!r} is not a valid limit", where="limit", expected="a whole number from 0 on")
        request.limit = min(limit, _MOST_ASKED)
    return islice((item for reply in _answers(ask, request, note) for item in getattr(reply, items)), limit)


def _answers(ask: Callable[[Any], Any], request: Any, note: Callable[[Any], None]) -> Iterator[Any]:
    while True:
        reply = ask(request)
        note(reply)
        yield reply
        if not reply.next_page:
            return
        request.page = reply.next_page
