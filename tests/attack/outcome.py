"""What an attack came to: a refusal, told in a few words, or a success, which fails its test."""

from collections.abc import Callable

import grpc

from jetfleet.errors import Infrastructure, JetfleetError, Unreachable
from jetfleet.rpc import from_status

Attack = Callable[..., str]

_LONGEST = 90


class AttackSucceeded(AssertionError):
    """Somebody got what he must not get."""


def refused(attempt: Callable[[], object], *, also: tuple[type[Exception], ...] = ()) -> str:
    """How the attempt was refused. A controller that fell over, or met a bug, refused nothing.

    Raises AttackSucceeded; `also` are refusals beside the project's own.
    """
    try:
        got = attempt()
    except JetfleetError as error:
        return how_refused(error)
    except grpc.RpcError as error:
        return how_refused(from_status(error, address="the controller"))
    except also as error:
        return f"{type(error).__name__}: {error}"[:_LONGEST]
    raise AttackSucceeded(f"it was answered: {got!r}"[:300])


def closed(attempt: Callable[[], object]) -> str:
    """How a connection was refused before anybody could say a word. Raises AttackSucceeded."""
    try:
        got = attempt()
    except Unreachable:
        return "the handshake fails"
    except grpc.RpcError as error:
        if isinstance(from_status(error, address="here"), Unreachable):
            return "the handshake fails"
        raise
    except OSError as error:
        return f"the connection is closed ({type(error).__name__})"
    raise AttackSucceeded(f"it was answered: {got!r}"[:300])


def holds(claim: bool, how: str) -> str:
    """`how` it came to nothing, where that can be seen only in what there is afterwards. Raises AttackSucceeded."""
    if not claim:
        raise AttackSucceeded(f"this does not hold: {how}")
    return how


def how_refused(error: JetfleetError) -> str:
    """Of an attempt that may as well be answered. Raises AttackSucceeded where it broke something."""
    if isinstance(error, Unreachable) or (isinstance(error, Infrastructure) and "met a bug" in error.message):
        raise AttackSucceeded(f"it brought the controller down: {error.message}") from None
    return f"{type(error).__name__}: {error.message}"[:_LONGEST]
