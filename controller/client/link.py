"""Calls to one controller, and how long to put up with its silence.

Every call of the protocol is safe to repeat, so a call that got no answer is made again until patience runs out.
"""

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import grpc

from jetfleet.errors import JetfleetError, Unreachable
from jetfleet.rpc import from_status

T = TypeVar("T")
_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 2.0
_random = random.SystemRandom()
# What a link that broke, or a server that stops, looks like to a call.
_DROPS = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED})


class Patience:
    """Spaces the tries of a call with growing, jittered pauses; raises the last error when its time is spent."""

    def __init__(
        self,
        limit_s: float,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limit_s, self._now, self._sleep = limit_s, now, sleep
        self.renew()

    def renew(self) -> None:
        """The other side lives: start over."""
        self._delay_s = _FIRST_DELAY_S
        self._since: float | None = None

    def wait(self, error: JetfleetError) -> None:
        """Pauses before the next try. Raises `error` if the silence has lasted too long."""
        now = self._now()
        self._since = now if self._since is None else self._since
        if now - self._since >= self._limit_s:
            raise error
        # Jitter: clients that lost the same controller must not return in step.
        self._sleep(self._delay_s * _random.uniform(0.5, 1.0))
        self._delay_s = min(self._delay_s * 2, _LONGEST_DELAY_S)


def persistent(call: Callable[[], T], *, patience: Patience) -> T:
    """The answer of a call that may be repeated, made again while the controller does not answer."""
    while True:
        try:
            return call()
        except Unreachable as error:
            patience.wait(error)


def drop_of(error: grpc.RpcError, *, address: str) -> JetfleetError:
    """The lost link behind a stream's error. Raises what the controller said, if it said something."""
    said = from_status(error, address=address)
    if isinstance(said, Unreachable):
        return said
    if type(said) is JetfleetError and code_of(error) in _DROPS:
        return Unreachable(f"the link to the controller at {address} was lost ({said.message})")
    raise said from None


def code_of(error: grpc.RpcError) -> grpc.StatusCode | None:
    """The status of an error; one that was raised is a grpc.Call, which the stubs do not say."""
    return error.code() if isinstance(error, grpc.Call) else None


def messages(stream: Iterator[T], *, address: str) -> Iterator[T | JetfleetError]:
    """What a server stream brings, and as the last item the lost link if it did not end by itself."""
    try:
        yield from stream
    except grpc.RpcError as error:
        yield drop_of(error, address=address)
    finally:
        if isinstance(stream, grpc.Call):
            stream.cancel()
