"""What an upgrade did, for people: the worst first."""

from collections.abc import Iterator

from controller.model.upgrade import UpgradeOutcome, UpgradeReport
from controller.report.text.table import Table
from controller.report.text.words import number, one_line


def upgrade_heading(report: UpgradeReport) -> str:
    """`job 3 -> job 7: 1 NO_LONGER_BUILDS, 2 SLOWER, 5 SAME; l4t 36.4 -> 38.2`."""
    counts = ", ".join(f"{report.count(item)} {item.value}" for item in UpgradeOutcome if report.count(item))
    moved = "; ".join(report.moved) or "no fact of a release differs"
    return one_line(f"job {report.old_job_id} -> job {report.new_job_id}: {counts or 'nothing in common'}; {moved}")


def upgrade_table(report: UpgradeReport) -> Table:
    before, after = f"{report.metric} before", "after"
    return Table(
        columns=("outcome", "variant", "device", "class", before, after, "change", "counts", "why"),
        rows=[
            (
                line.outcome.value,
                line.label,
                line.device,
                line.device_class,
                number(line.before.measurement.value(report.metric) if line.before else None),
                number(line.after.measurement.value(report.metric) if line.after else None),
                "" if line.change is None or line.change.value is None else number(line.change.value),
                ", ".join(line.counts),
                line.reason,
            )
            for line in report.lines
        ],
        right=frozenset({before, after, "change"}),
        folding=frozenset({"variant", "counts", "why"}),
        empty="neither job has results",
    )


def upgrade_notes(report: UpgradeReport) -> Iterator[str]:
    if not report.moved and any(line.before and line.after for line in report.lines):
        yield "l4t, jetpack, cuda, dla_compiler and runtime_version are the same in both: was anything upgraded?"
