"""The project's exceptions: each knows its exit code and gRPC status. Raised once, translated once, printed once."""

from collections.abc import Sequence
from typing import Any, ClassVar


class JetfleetError(Exception):
    """What went wrong, where, what was expected, and how to fix it: everything a user needs, and no stack trace.

    The status is a name of grpc.StatusCode, so that this module needs no grpc.
    """

    exit_code: ClassVar[int] = 1
    status: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, *, where: str = "", expected: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.expected = expected
        self.hint = hint

    def __str__(self) -> str:
        where = self.where.replace("\n", "\\n")  # a file may be called so; a line of its own it does not get
        lines = [f"{where}: {self.message}" if where else self.message]
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.hint:
            lines.append(f"  fix: {self.hint}")
        return "\n".join(lines)


class TaskFailed(JetfleetError):
    """A task failed, or its output was wrong."""

    exit_code = 1
    status = "FAILED_PRECONDITION"


class BadInput(JetfleetError):
    """The user's input cannot be used as it is. `others` are the further mistakes that were found beside this one."""

    exit_code = 2
    status = "INVALID_ARGUMENT"

    def __init__(
        self, message: str, *, where: str = "", expected: str = "", hint: str = "", others: "Sequence[BadInput]" = ()
    ) -> None:
        super().__init__(message, where=where, expected=expected, hint=hint)
        self.others = tuple(others)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *map(str, self.others)])


class UnknownValue(BadInput):
    """A value that only a newer version knows, or that was left out where one is needed."""


class NotFound(JetfleetError):
    exit_code = 2
    status = "NOT_FOUND"


class Infrastructure(JetfleetError):
    """No device, no controller, no disk: not the job's fault."""

    exit_code = 4
    status = "UNAVAILABLE"


class NoDevice(Infrastructure):
    """No registered device matches a target."""

    status = "FAILED_PRECONDITION"


class Unreachable(Infrastructure):
    """The controller did not answer."""


class WrongClock(Infrastructure):
    """This machine's clock is not within the time for which a certificate is valid."""


class PortTaken(Infrastructure):
    """Somebody else listens there."""


class StateLocked(Infrastructure):
    """Another process owns the state folder."""


class StateGone(Infrastructure):
    """The state folder was removed under a running controller."""


class DatabaseTooNew(Infrastructure):
    """A newer version wrote this database."""


class DiskFull(Infrastructure):
    status = "RESOURCE_EXHAUSTED"


class NeedsUpgrade(Infrastructure):
    """The two sides speak different protocol versions."""

    status = "FAILED_PRECONDITION"


class Conflict(Infrastructure):
    """Two devices claim to be the same one."""

    status = "ALREADY_EXISTS"


class Unauthenticated(JetfleetError):
    """The controller does not know who calls: no token, an expired or revoked one, a certificate that is not valid."""

    exit_code = 4
    status = "UNAUTHENTICATED"


class Denied(JetfleetError):
    """The controller knows who calls, and that one may not do this."""

    exit_code = 4
    status = "PERMISSION_DENIED"


class StaleSession(JetfleetError):
    """The session is not, or no longer, the device's current one: register again."""

    exit_code = 4
    status = "UNAUTHENTICATED"


class StaleAttempt(JetfleetError):
    """The attempt's lease is gone; its result is kept, labelled, but does not count."""

    exit_code = 4
    status = "ABORTED"


class Corrupt(JetfleetError):
    """Bytes are not what their digest says."""

    exit_code = 4
    status = "DATA_LOSS"


class WrongOffset(JetfleetError):
    """An upload does not continue where the controller stands: ask Stat and resume."""

    exit_code = 4
    status = "OUT_OF_RANGE"


class Cancelled(JetfleetError):
    exit_code = 6
    status = "CANCELLED"


class TimeLimit(JetfleetError):
    exit_code = 7
    status = "DEADLINE_EXCEEDED"


def kinds() -> dict[str, type[JetfleetError]]:
    """Every exception by name, for the wire."""
    found: dict[str, type[JetfleetError]] = {}
    queue: list[type[JetfleetError]] = [JetfleetError]
    while queue:
        kind = queue.pop()
        found[kind.__name__] = kind
        queue.extend(kind.__subclasses__())
    return found


def error_record(error: JetfleetError) -> dict[str, Any]:
    """An error as `--json` prints it, one object on one line of stderr."""
    return {
        "kind": type(error).__name__,
        "message": error.message,
        "where": error.where,
        "expected": error.expected,
        "fix": error.hint,
        "exit_code": error.exit_code,
    }
