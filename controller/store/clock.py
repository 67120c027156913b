"""The controller's wall clock as the database keeps it: aware UTC, ISO 8601, milliseconds, sorted as text."""

from datetime import datetime, timedelta, timezone


def wall_now() -> datetime:
    return datetime.now(timezone.utc)


def now_text() -> str:
    return text_of(wall_now())


def text_of(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def after(moment: str, seconds: float) -> str:
    return (parse(moment) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def parse(text: str) -> datetime:
    return datetime.fromisoformat(text)


def seconds_between(start: str, end: str | None) -> float:
    """Elapsed seconds; until now where there is no end yet. None have passed where somebody set the clock back."""
    return max(0.0, (parse(end or now_text()) - parse(start)).total_seconds())
