"""What rows say, for fsck: measurements against their digests, files that rows need against the list of files."""

from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from controller.store.queries.damage import CheckedRow, check_rows, is_current
from controller.store.queries.references import file_uses, listed_files
from controller.store.queries.unreadable import UnreadableCell, unreadable_cells
from controller.store.sqlite.reader import Reader


@dataclass
class RowReport:
    """`changed` are rows whose damage is not what was noted before; `unlisted` files are needed, and in no list.

    With an `unreadable` cell nothing else is looked at.
    """

    measurements: int = 0
    damaged: list[CheckedRow] = field(default_factory=list)
    changed: list[CheckedRow] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    unreadable: list[UnreadableCell] = field(default_factory=list)


def read_rows(database: Path) -> RowReport:
    """Nothing of a database of another version: a controller that opens it brings it to this one first."""
    report = RowReport()
    with closing(Reader(database)) as reader:
        if not reader.read(is_current):
            return report
        report.unreadable = reader.read(unreadable_cells)
        if report.unreadable:
            return report  # what needs those rows cannot be told
        report.unlisted = sorted(reader.read(file_uses).needed - reader.read(listed_files))
        after = 0
        while page := reader.read(partial(check_rows, after=after)):
            report.measurements += len(page)
            report.damaged += [row for row in page if row.damage]
            report.changed += [row for row in page if row.damage != row.noted]
            after = page[-1].measurement_id
    return report
