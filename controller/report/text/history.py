"""A metric over its jobs for people: a line per measurement, and below it where it changed."""

from collections.abc import Iterator

from controller.model.history import ChangePoint, History
from controller.report.text.table import Table
from controller.report.text.words import moment, number, one_line
from jetfleet.plural import counted


def history_heading(found: History) -> str:
    """`resnet tensorrt-fp16-b1-gpu on nano-1: p50_ms of 12 measurements`."""
    made_up = ", SIMULATED: made-up numbers" if found.provenance.value == "SIMULATED" else ""
    count = counted(len(found.points), "measurement")
    return one_line(f"{found.model_name} {found.label} on {found.device}: {found.metric} of {count}{made_up}")


def history_table(found: History) -> Table:
    """Oldest first."""
    changed = {item.first.row.measurement_id: item for item in found.changes}
    return Table(
        columns=("job", "measured", "commit", found.metric, "verdict", "change"),
        rows=[
            (
                str(point.row.job_id),
                moment(point.measured_at),
                point.commit[:12],
                number(point.value),
                point.row.measurement.verdict,
                _change(changed.get(point.row.measurement_id)),
            )
            for point in found.points
        ],
        right=frozenset({"job", found.metric}),
    )


def history_notes(found: History) -> Iterator[str]:
    for item in found.changes:
        yield one_line(change_words(item))
    if not found.changes:
        yield f"no change of {found.metric} is shown"
    if found.alarm:
        yield f"ALARM: {one_line(found.alarm)}"


def change_words(item: ChangePoint) -> str:
    """`job 7 (commit a1b2c3): worse, +5.0% (+4.1% to +5.9%), than until job 6 (commit d4e5f6)`."""
    low, high = item.ratio.low or 1.0, item.ratio.high or 1.0
    change = f"{_share(item.ratio.value or 1.0)} ({_share(low)} to {_share(high)})"
    way = "better" if item.better else "worse"
    return f"{_job(item, first=True)}: {way}, {change}, than until {_job(item, first=False)}"


def _job(item: ChangePoint, *, first: bool) -> str:
    point = item.first if first else item.last
    commit = f" (commit {point.commit[:12]})" if point.commit else ""
    return f"job {point.row.job_id}{commit}"


def _change(item: ChangePoint | None) -> str:
    return "" if item is None else f"{'better' if item.better else 'WORSE'} {_share(item.ratio.value or 1.0)}"


def _share(ratio: float) -> str:
    return f"{ratio - 1:+.1%}"
