"""Whom this controller knows: tokens and members in memory, as the database has them, and their open calls.

Every call is looked up here, so that a revocation counts from the moment on that it is stored; calls that were open
then are ended.
"""

import asyncio
import contextlib
import hashlib
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone

from controller.model.access import Caller, CallerRole, Member, TokenView
from jetfleet.errors import Infrastructure, Unauthenticated

_SECRET_BYTES = 32
# At once, of one caller whom the transport names; the socket's owner may open as many as he likes.
_MOST_CALLS = {CallerRole.AGENT: 64, CallerRole.STRANGER: 64}
_MOST_CALLS_OF_PEOPLE = 1024
_ENROL_AGAIN = "on the controller: `controller enroll new` prints the line with which this board enrols again"


def new_secret() -> str:
    """256 random bits, as text that can be pasted."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def secret_digest(secret: str) -> str:
    """How a secret is kept: it is random and long, so that one pass of SHA-256 hides it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def wall_clock() -> datetime:
    return datetime.now(timezone.utc)


class Directory:
    """Filled at the start and after every change. Its loop's thread alone uses it."""

    def __init__(self, *, now: Callable[[], datetime] = wall_clock) -> None:
        self._now = now
        self._tokens: Mapping[str, TokenView] = {}
        self._members: Mapping[str, Member] = {}
        self._calls: defaultdict[str, set[asyncio.Task[object]]] = defaultdict(set)
        self._ended: set[asyncio.Task[object]] = set()

    def fill(self, tokens: Mapping[str, TokenView], members: Mapping[str, Member]) -> None:
        """`tokens` by the digest of their secret, without those that were revoked."""
        self._tokens, self._members = tokens, members

    def member(self, device_id: str) -> Member | None:
        return self._members.get(device_id)

    def members(self) -> Mapping[str, Member]:
        return self._members

    def person(self, secret: str) -> Caller:
        """Raises Unauthenticated."""
        found = self._tokens.get(secret_digest(secret))
        if found is None:
            raise Unauthenticated(
                "this token is not, or no longer, valid", hint="ask an admin for one: controller token create NAME"
            )
        if found.expires_at is not None and found.expires_at <= self._now():
            raise Unauthenticated(
                f"the token of {found.name} expired at {found.expires_at:%Y-%m-%d %H:%M} UTC",
                hint="ask an admin for a new one: controller token create NAME",
            )
        return Caller(CallerRole(found.scope), found.name, expires_at=found.expires_at)

    def board(self, device_id: str, *, key_sha256: str, issued_at: datetime, expires_at: datetime) -> Caller:
        """By what its certificate says. Raises Unauthenticated."""
        found = self._members.get(device_id)
        if found is None:
            raise Unauthenticated(f"device {device_id[:8]} is not enrolled here", hint=_ENROL_AGAIN)
        if found.revoked_at is not None and issued_at <= found.revoked_at:
            raise Unauthenticated("the certificate of this board was revoked", hint=_ENROL_AGAIN)
        if key_sha256 != found.key_sha256:
            raise Unauthenticated("this board enrolled again, with another key", hint=_ENROL_AGAIN)
        if expires_at <= self._now():
            raise Unauthenticated(
                f"the certificate of this board expired at {expires_at:%Y-%m-%d %H:%M} UTC", hint=_ENROL_AGAIN
            )
        who = found.name or device_id[:8]
        return Caller(CallerRole.AGENT, who, device_id, found.hardware_serial, expires_at=expires_at)

    @contextlib.contextmanager
    def open_call(self, caller: Caller) -> Iterator[None]:
        """While a call of this task is open, `end_calls` can end it, and what the caller is known by may expire.

        Raises Infrastructure where the caller has too many open.
        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call outside of a task")
        most = _MOST_CALLS.get(caller.role, _MOST_CALLS_OF_PEOPLE)
        if caller.role is not CallerRole.OWNER and len(self._calls.get(caller.key, ())) >= most:
            raise Infrastructure(
                f"{caller.user or 'nobody known'} has {most} calls open, and may not open more", hint="end some of them"
            )
        self._calls[caller.key].add(task)
        left_s = None if caller.expires_at is None else (caller.expires_at - self._now()).total_seconds()
        timer = None if left_s is None else asyncio.get_running_loop().call_later(max(0.0, left_s), self._end, task)
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()
            self._calls[caller.key].discard(task)
            if not self._calls[caller.key]:
                del self._calls[caller.key]
            self._ended.discard(task)

    def end_calls(self, key: str) -> int:
        """Ends what a caller has open; how many calls that was."""
        tasks = list(self._calls.get(key, ()))
        for task in tasks:
            self._end(task)
        return len(tasks)

    def _end(self, task: "asyncio.Task[object]") -> None:
        self._ended.add(task)
        task.cancel()

    def was_ended(self) -> bool:
        """Whether the call of this task was ended here, and not by its caller."""
        return asyncio.current_task() in self._ended
