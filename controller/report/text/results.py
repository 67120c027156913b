"""Results for people and for spreadsheets: every number with its interval, its provenance and its verdict."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from controller.model.natural import natural
from controller.model.result import VALID, Estimate, Flag, FlagKind, Measurement, Provenance, Row
from controller.model.task import Failure, FailureKind, TaskKind, TaskState
from controller.model.view import JobView, TaskView
from controller.record.results import result_frame
from controller.report.text.builds import build_lines
from controller.report.text.stages import stage_lines
from controller.report.text.table import Table, data_table
from controller.report.text.words import UNKNOWN, estimate, made_up, number, one_line, sample_size
from jetfleet.plural import counted
from jetfleet.stats.repeats import ASSUMED

Refused: TypeAlias = tuple[int, TaskView]  # with the number of its job

_NAMED = 3  # rows that one line of evidence names; the rest is counted
_OPTIONAL = ("per s", "p90 ms", "job", "accuracy", "p99 ms")
_PERCENTILES = ("p50", "p90", "p99")  # as the table shows them


def results_table(rows: Sequence[Row], refused: Sequence[Refused] = ()) -> Table:
    """The newest job first, and in it as people count; then what was refused at submit and never ran."""
    return Table(
        columns=(
            "job",
            "variant",
            "device",
            "provenance",
            "p50 ms",
            "p90 ms",
            "p99 ms",
            "per s",
            "accuracy",
            "verdict",
        ),
        rows=[_cells(row) for row in sorted(rows, key=_order)] + [_refused_cells(job, task) for job, task in refused],
        right=frozenset({"job", "p50 ms", "p90 ms", "p99 ms", "per s"}),
        folding=frozenset({"variant", "verdict"}),
        empty="no results",
        optional=_OPTIONAL if _any_simulated(rows) else (*_OPTIONAL, "provenance"),
    )


def refused_of(job: JobView) -> list[Refused]:
    """The BENCHes of a job that were refused at submit: they never had an attempt, and have no row."""
    return [
        (job.id, task)
        for task in job.tasks
        if task.kind is TaskKind.BENCH and task.failure and not task.attempts and task.state is TaskState.FAILED
    ]


def _any_simulated(rows: Sequence[Row]) -> bool:
    """What is not measured says so in every table, however narrow."""
    return any(row.measurement.provenance is Provenance.SIMULATED for row in rows)


def _order(row: Row) -> tuple[object, ...]:
    index = row.measurement.subject_index
    part = -1 if index is None else index
    return -row.job_id, natural(row.variant_key), natural(row.device), row.task_id, part, -row.measurement_id


def _refused_cells(job_id: int, task: TaskView) -> tuple[str, ...]:
    kind = task.failure.kind.value if task.failure else ""
    return (str(job_id), task.name, task.device, *[""] * 6, kind)


def evidence(rows: Sequence[Row], refused: Sequence[Refused] = ()) -> Iterator[str]:
    """Below the table, each reason once with the rows that it is about: why a row may not be trusted, why a figure is
    missing, and why there is no row.
    """
    yield from _grouped(_evidence(sorted(rows, key=_order)))
    yield from _assumed(rows)
    yield from build_lines(rows)
    yield from (_refusal(job_id, task) for job_id, task in refused)
    simulated = sum(row.measurement.provenance is Provenance.SIMULATED for row in rows)
    if simulated:
        yield made_up(simulated, len(rows))


def _assumed(rows: Sequence[Row]) -> Iterator[str]:
    """Which of the intervals that are shown rest on no repeat of anything."""
    items = ((row.device, row.measurement) for row in rows)
    for device in sorted({device for device, item in items if item.repeats == 0 and item.verdict == VALID}):
        yield (
            f"{one_line(device)}: ± takes equal benches to differ by at least {ASSUMED:.0%}, since none were VALID "
            f"there before; what they do differ by: controller noise {shlex.quote(device)}"
        )


def _grouped(lines: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Each line once, after the rows that it is about."""
    grouped: dict[str, list[str]] = {}
    for where, line in lines:
        grouped.setdefault(line, []).append(where)
    for line, places in grouped.items():
        named = [place for place in places[:_NAMED] if place]
        more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
        yield f"{'; '.join(named)}{more}: {line}" if named else line


def _refusal(job_id: int, task: TaskView) -> str:
    failure = task.failure or Failure(FailureKind.BUILD_REFUSED, "")
    return f"job {job_id}, {one_line(task.name)}: {failure.kind.value}: {one_line(failure.message)}"


def _evidence(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """Each line, and the row that it is about; empty for what is about all."""
    of_wholes = {row.task_id: row.measurement.flags for row in rows if row.measurement.subject_index is None}
    about_wholes: dict[str, None] = {}
    for row in rows:
        where = one_line(f"job {row.job_id}, {row.label} on {row.device}")
        is_whole = row.measurement.subject_index is None
        told = () if is_whole else of_wholes.get(row.task_id, ())
        yield from ((where, line) for line in _doubts(row.measurement.flags, told))
        yield from ((where, one_line(line)) for line in stage_lines(row.measurement))
        absent = [f"no {', '.join(names)}: {reason}" for reason, names in _missing(row.measurement).items()]
        if is_whole:
            about_wholes.update(dict.fromkeys(f"whole tasks: {line}" for line in absent))
        else:
            yield from ((where, line) for line in absent)
    yield from (("", line) for line in about_wholes)


def _doubts(flags: Sequence[Flag], told: Sequence[Flag]) -> list[str]:
    return [
        f"{flag.kind.value}: {one_line(flag.evidence) or 'no evidence given'}"
        for flag in flags
        if not _is_told(flag, told)
    ]


def _is_told(flag: Flag, of_whole: Sequence[Flag]) -> bool:
    """A whole bears its subjects' flags, with the subjects named before the evidence."""
    return any(other.kind is flag.kind and other.evidence.endswith(flag.evidence) for other in of_whole)


def _missing(item: Measurement) -> dict[str, list[str]]:
    """The figures that are not there, by why."""
    found: dict[str, list[str]] = {}
    for name in _PERCENTILES:
        figure = item.estimate(f"{name}_ms")
        if figure.value is None:
            found.setdefault(one_line(figure.reason) or UNKNOWN, []).append(name)
    return found


def csv_table(rows: Sequence[Row]) -> Table:
    """One line per measurement. Empty cells are unknown; read columns by name, more may come."""
    return data_table(*result_frame(rows))


def _cells(row: Row) -> tuple[str, ...]:
    item = row.measurement
    return (
        str(row.job_id),
        row.label,
        row.device,
        item.provenance.value,
        _over_runs(item),
        _value_of(item.estimate("p90_ms"), n=sample_size(item)),
        _value_of(item.estimate("p99_ms"), n=sample_size(item)),
        number(item.value("throughput_per_s")),
        _accuracy(item),
        _verdict(item),
    )


def _over_runs(item: Measurement) -> str:
    """`5.01 ± 0.6 % (5 runs)`: an interval is of fresh processes, and of VALID rows alone."""
    runs = len(item.counted_runs)
    shown = estimate(item.promised("p50_ms"), n=item.n)
    if not runs or item.p50_ms.value is None:
        return shown
    return f"{shown} ({counted(runs, 'run')})"


def _value_of(item: Estimate, *, n: int) -> str:
    return estimate(Estimate(item.value), n=n)


def _accuracy(item: Measurement) -> str:
    accuracy = item.value("accuracy")  # the others are told below the table
    return UNKNOWN if accuracy is None else f"{accuracy:.4f} (n={item.accuracy_n})"


def _verdict(item: Measurement) -> str:
    """The worst flag first, then the others."""
    worst = item.verdict
    others = sorted({flag.kind.value for flag in item.flags} - {worst})
    return ", ".join([worst, *others])


def wrong_outputs(rows: Sequence[Row]) -> list[Row]:
    """Measurements of something that computes the wrong thing: a job that has one did not do what was asked."""
    return [row for row in rows if any(flag.kind is FlagKind.WRONG_OUTPUT for flag in row.measurement.flags)]
