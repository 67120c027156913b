"""Board-to-board spread: equal boards only, and the odd one named where that can be told."""

import pytest

from controller.analysis.spread import spreads
from controller.model.result import FlagKind, Provenance
from tests.analysis.runs import BOARD, row


def test_a_slow_board_stands_out() -> None:
    rows = [row(n, p50, device=f"nano-{n}") for n, p50 in enumerate([10.0, 10.1, 9.9, 12.0], start=1)]
    (found,) = spreads(rows)
    assert (found.min_ms, found.max_ms) == pytest.approx((9.9, 12.0), rel=1e-3)
    assert found.relative == pytest.approx(12.0 / 9.9 - 1, rel=1e-3)
    assert found.outliers == ("nano-4",)
    assert "from the median board" in found.reason


def test_boards_that_agree_have_no_odd_one() -> None:
    (found,) = spreads([row(n, p50, device=f"nano-{n}") for n, p50 in enumerate([10.0, 10.1, 9.9], start=1)])
    assert found.outliers == ()


def test_of_two_boards_nobody_knows_which_is_odd() -> None:
    (found,) = spreads([row(1, 10.0), row(2, 20.0, device="nano-2")])
    assert found.outliers == ()
    assert found.reason == "2 boards: which one is odd takes 3"


def test_only_equal_valid_boards_are_spread_and_each_by_its_newest_row() -> None:
    rows = [
        row(1, 99.0),
        row(2, 10.0),
        row(3, 10.5, device="nano-2"),
        row(4, 10.0, FlagKind.UNSTABLE, device="nano-3"),
        row(5, 10.0, device="nano-4", facts={**BOARD, "power_mode": "MAXN"}),
        row(6, 10.0, device="nano-5", engine_key="f" * 64),
        row(7, 10.0, device="nano-6", provenance=Provenance.SIMULATED),
    ]
    (found,) = spreads(rows)
    assert list(found.p50_ms) == ["nano-1", "nano-2"]
    assert found.provenance is Provenance.MEASURED
