"""Timestamps (always the controller's clock) and durations, proto <-> Python."""

from datetime import datetime, timedelta, timezone
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from jetfleet.errors import BadInput

_NANOS = 10**9
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# What protobuf allows: about 10,000 years.
_LONGEST_S = 315_576_000_000


def duration_fields(seconds: float) -> dict[str, int]:
    """The fields of a Duration, to the nanosecond. Raises BadInput for what no Duration holds: NaN, infinity."""
    if not abs(seconds) <= _LONGEST_S:
        raise BadInput(f"{seconds} s is not a valid duration")
    length_s = abs(seconds)
    # Whole seconds apart, because their product with 1e9 is more than a float can tell apart after 104 days.
    whole, nanos = divmod(int(length_s) * _NANOS + round((length_s - int(length_s)) * 1e9), _NANOS)
    sign = -1 if seconds < 0 else 1
    return {"seconds": sign * whole, "nanos": sign * nanos}


def seconds_of(message: Any) -> float:
    """The seconds of a Duration. Raises BadInput for one that is longer than protobuf allows."""
    seconds: float = (message.seconds * _NANOS + message.nanos) / _NANOS  # of whole numbers: correctly rounded
    if not abs(seconds) <= _LONGEST_S:
        raise BadInput(f"{seconds} s is not a valid duration")
    return seconds


def timestamp_fields(moment: datetime) -> dict[str, int]:
    """The fields of a Timestamp. Raises BadInput for a moment without a time zone."""
    if moment.tzinfo is None:
        raise BadInput(f"{moment} has no time zone")
    since = moment - _EPOCH
    return {"seconds": since.days * 86400 + since.seconds, "nanos": since.microseconds * 1000}


def moment_of(message: Any) -> datetime:
    """The moment of a Timestamp, in UTC. Raises BadInput for one outside of the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1000)
    except OverflowError:
        raise BadInput(f"{message.seconds} s since 1970 is not a valid time") from None


def to_duration(seconds: float) -> Duration:
    return Duration(**duration_fields(seconds))


def to_timestamp(moment: datetime) -> Timestamp:
    return Timestamp(**timestamp_fields(moment))
