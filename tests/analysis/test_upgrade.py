"""What became of each variant after an upgrade: every outcome, with its reason, the worst first."""

from dataclasses import replace
from typing import Any

from controller.analysis.compare import compare
from controller.analysis.upgrade import UPGRADED, upgrade_report
from controller.model.engine import DlaPlacement
from controller.model.result import Estimate, FlagKind, Row
from controller.model.upgrade import FailedVariant, UpgradeOutcome, UpgradeReport
from controller.report.text.upgrade import upgrade_heading, upgrade_notes, upgrade_table
from tests.analysis.runs import BOARD, repeats, row

NEW_BOARD = {**BOARD, "l4t": "38.2", "jetpack": "7.0"}
OLD_BOARD = {**BOARD, "jetpack": "6.2"}
QUIET = [
    *repeats(5.0, first=1000, variant_key="other", facts=OLD_BOARD),
    *repeats(5.0, first=1100, variant_key="other", facts=NEW_BOARD),
]


def before(number: int, variant: str, p50_ms: float = 10.0, *flags: FlagKind, **changes: Any) -> Row:
    made = {"job_id": 1, "variant_key": variant, "facts": OLD_BOARD, **changes}
    return row(number, p50_ms, *flags, **made)


def after(number: int, variant: str, p50_ms: float = 10.0, *flags: FlagKind, **changes: Any) -> Row:
    made = {"job_id": 2, "variant_key": variant, "facts": NEW_BOARD, "runtime_version": "10.13", **changes}
    return row(100 + number, p50_ms, *flags, **made)


def with_layers(made: Row, count: float) -> Row:
    metrics = {**made.measurement.metrics, "layer_count": Estimate(count)}
    return replace(made, measurement=replace(made.measurement, metrics=metrics))


def held(old: list[Row], new: list[Row], **more: Any) -> UpgradeReport:
    compared = None
    if new:
        compared = compare([*old, *new], baseline="1", across=frozenset(UPGRADED), history=QUIET)
    return upgrade_report(old, new, compared, jobs=(1, 2), **more)


def upgraded() -> UpgradeReport:
    old = [
        with_layers(before(1, "faster"), 120),
        before(2, "slower"),
        before(3, "same"),
        before(4, "wrong"),
        before(5, "unbuildable"),
        before(6, "crashes"),
        before(7, "forgotten"),
        before(8, "hot"),
    ]
    new = [
        with_layers(after(1, "faster", 8.0), 96),
        after(2, "slower", 12.0),
        after(3, "same"),
        after(4, "wrong", 5.0, FlagKind.WRONG_OUTPUT),
        after(8, "hot", 10.0, FlagKind.THROTTLED),
        after(9, "added"),
    ]
    failures = [
        FailedVariant("unbuildable", "nano-1", True, "no implementation for node /conv"),
        FailedVariant("crashes", "", False, "SIGSEGV"),
        FailedVariant("forgotten", "nano-2", True, "another board's"),
    ]
    return held(old, new, failures=failures)


def test_every_outcome_with_its_reason_the_worst_first() -> None:
    found = upgraded()
    assert [(line.label, line.outcome) for line in found.lines] == [
        ("unbuildable", UpgradeOutcome.NO_LONGER_BUILDS),
        ("crashes", UpgradeOutcome.NO_LONGER_RUNS),
        ("wrong", UpgradeOutcome.WRONG_OUTPUTS),
        ("slower", UpgradeOutcome.SLOWER),
        ("forgotten", UpgradeOutcome.GONE),
        ("hot", UpgradeOutcome.CANNOT_TELL),
        ("faster", UpgradeOutcome.FASTER),
        ("same", UpgradeOutcome.SAME),
        ("added", UpgradeOutcome.NEW),
    ]
    by_label = {line.label: line for line in found.lines}
    assert by_label["unbuildable"].reason == "no implementation for node /conv"
    assert by_label["crashes"].reason == "SIGSEGV"
    assert "THROTTLED" in by_label["hot"].reason or "NOT_VALID" in by_label["hot"].reason
    assert by_label["faster"].counts == ("layers 120 -> 96",)
    assert by_label["faster"].change is not None
    assert by_label["faster"].change.value == 0.8
    assert found.moved == ("l4t 36.4 -> 38.2", "jetpack 6.2 -> 7.0", "runtime_version 10.3 -> 10.13")


def test_what_did_not_come_with_the_release_keeps_two_from_being_compared() -> None:
    (line,) = held([before(1, "v")], [after(1, "v", facts={**NEW_BOARD, "power_mode": "MAXN"})]).lines
    assert (line.outcome, line.reason.split(":")[0]) == (UpgradeOutcome.CANNOT_TELL, "INCOMPARABLE")
    assert "power_mode" in line.reason


def test_layers_that_left_the_dla_are_told() -> None:
    old, new = before(1, "v", engine_key="a" * 64), after(1, "v", engine_key="b" * 64)
    placements = {"a" * 64: DlaPlacement(50, 2, 1), "b" * 64: DlaPlacement(40, 12, 4)}
    (line,) = held([old], [new], placements=placements).lines
    assert line.counts == ("on the DLA 50 -> 40", "on the GPU 2 -> 12", "DLA subgraphs 1 -> 4")


def test_a_job_of_which_nothing_is_left_and_one_on_the_same_release() -> None:
    nothing = held([before(1, "v")], [])
    assert [line.outcome for line in nothing.lines] == [UpgradeOutcome.GONE]
    same = held([before(1, "v")], [before(2, "v", job_id=2)])
    assert same.moved == ()
    assert "was anything upgraded" in " ".join(upgrade_notes(same))


def test_people_read_the_outcomes_and_what_moved() -> None:
    found = upgraded()
    assert upgrade_heading(found).startswith("job 1 -> job 2: 1 NO_LONGER_BUILDS, 1 NO_LONGER_RUNS, 1 WRONG_OUTPUTS")
    assert "l4t 36.4 -> 38.2" in upgrade_heading(found)
    table = upgrade_table(found)
    assert len(table.rows) == 9
    assert all(len(cells) == len(table.columns) for cells in table.rows)
