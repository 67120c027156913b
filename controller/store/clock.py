"""The controller's wall clock as the database keeps it: aware UTC, ISO 8601, milliseconds, sorted as text."""

from datetime import datetime, timedelta, timezone

from controller.model.codec import Unreadable


def wall_now() -> datetime:
    return datetime.now(timezone.utc)


def now_text() -> str:
    return text_of(wall_now())


def text_of(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def after(moment: str, seconds: float) -> str:
    return (parse(moment) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def parse(text: str) -> datetime:
    """Raises Unreadable."""
    try:
        return datetime.fromisoformat(text)
    except (ValueError, TypeError) as error:
        raise Unreadable(f"{str(text)[:40]!r} is not a time") from error


def seconds_between(start: str, end: str | None) -> float:
    """Elapsed seconds; until now where there is no end yet. None have passed where somebody set the clock back."""
    return max(0.0, (parse(end or now_text()) - parse(start)).total_seconds())
