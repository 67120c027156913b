"""Six simulated classes of boards, each decided by hand: what ships, and what each of the others failed on.

p99 within 33 ms with its whole interval, at most a point of accuracy lost, and of what is left the least energy.
"""

import math
from collections.abc import Sequence

import pytest

from controller.analysis.recommendation.configurations import BuiltEngine
from controller.analysis.recommendation.recommend import recommend
from controller.model.engine import DlaPlacement
from controller.model.quantities import read_goals
from controller.model.recommendation import Bound, ClassRecommendation, Compatibility
from controller.model.result import Estimate, FlagKind, Row
from tests.analysis.recommendation.fleet import measured

FP32, FP16, INT8 = (f"tensorrt-{precision}-b1-gpu" for precision in ("fp32", "fp16", "int8"))
DLA = "tensorrt-fp16-b1-dla0"
GOALS = read_goals("energy", {"p99_ms": 33.0, "accuracy_drop": 0.01}, where="x")
ON_DLA = "d" * 64
ENGINES = {ON_DLA: BuiltEngine(dla=DlaPlacement(layers_on_dla=60, layers_on_gpu=0, subgraphs=1))}
NO_DLA = "TensorRT 10.13 has no DLA on this board"


class Board:
    """Measurements on one board; every one has p50, p99, energy and accuracy."""

    def __init__(self, device: str, sku: str, l4t: str, *, first: int) -> None:
        self.device, self.first = device, first
        self.facts = {"arch": "aarch64", "sku": sku, "l4t": l4t, "power_mode": "15W"}
        self.rows: list[Row] = []

    def ran(
        self,
        variant: str,
        p99_ms: Estimate | float,
        energy_mj: float,
        *flags: FlagKind,
        accuracy: float = 0.76,
        engine_key: str = "",
    ) -> "Board":
        self.rows.append(
            measured(
                self.first + len(self.rows),
                variant,
                10.0,
                *flags,
                facts=self.facts,
                device=self.device,
                engine_key=engine_key,
                p99_ms=p99_ms,
                energy_mj=energy_mj,
                accuracy=Estimate(accuracy),
            )
        )
        return self


FLEET = [
    # fp32 is too slow, int8 loses two points: fp16, although int8 needs less.
    Board("nano", "orin-nano-8gb", "36.4", first=100)
    .ran(FP32, 45.0, 200.0)
    .ran(FP16, 30.0, 90.0)
    .ran(INT8, 20.0, 60.0, accuracy=0.74),
    # int8 loses half a point only, and needs least: 80 / 50 is its margin.
    Board("nx", "orin-nx-16gb", "36.4", first=200)
    .ran(FP32, 28.0, 150.0)
    .ran(FP16, 18.0, 80.0)
    .ran(INT8, 12.0, 50.0, accuracy=0.755),
    # The DLA is slower and within the deadline (32.5 + 1 %), all of it runs there, and it needs the least.
    Board("agx", "agx-orin-64gb", "36.4", first=300).ran(FP16, 9.0, 100.0).ran(DLA, 32.5, 60.0, engine_key=ON_DLA),
    # The same board on a release whose TensorRT has no DLA: a class of its own.
    Board("agx-new", "agx-orin-64gb", "38.2", first=400).ran(FP32, 20.0, 180.0).ran(FP16, 9.0, 100.0),
    # int8's interval reaches over the deadline and fp16 has no p99: fp32 wins with the most energy.
    Board("thor", "agx-thor", "38.2", first=500)
    .ran(FP32, 25.0, 300.0)
    .ran(FP16, Estimate(None, reason="n=120 < 299"), 120.0)
    .ran(INT8, Estimate(32.9, 32.6, 33.2), 80.0),
    # One of two boards misses the deadline, and the other variant was throttled: nothing ships.
    Board("small-1", "orin-nano-4gb", "36.4", first=600)
    .ran(FP16, 31.0, 95.0)
    .ran(INT8, 20.0, 60.0, FlagKind.THROTTLED),
    Board("small-2", "orin-nano-4gb", "36.4", first=700).ran(FP16, 34.0, 97.0),
]
ROWS = [row for board in FLEET for row in board.rows]


def decided(rows: Sequence[Row] = ROWS) -> dict[str, ClassRecommendation]:
    report = recommend(rows, GOALS, engines=ENGINES, refusals={DLA: NO_DLA})
    return {item.device_class: item for item in report.classes}


@pytest.mark.parametrize(
    ("device_class", "winners", "failed"),
    [
        (
            "orin-nano-8gb, L4T 36.4",
            [FP16],
            {FP32: ("p99_ms", Bound.NOT_MET), INT8: ("accuracy_drop", Bound.NOT_MET)},
        ),
        ("orin-nx-16gb, L4T 36.4", [INT8], {}),
        ("agx-orin-64gb, L4T 36.4", [DLA], {}),
        ("agx-orin-64gb, L4T 38.2", [FP16], {}),
        (
            "agx-thor, L4T 38.2",
            [FP32],
            {FP16: ("p99_ms", Bound.UNKNOWN), INT8: ("p99_ms", Bound.NOT_SHOWN)},
        ),
        ("orin-nano-4gb, L4T 36.4", [], {FP16: ("p99_ms", Bound.NOT_MET)}),
    ],
)
def test_each_class_ships_what_a_hand_would_choose(
    device_class: str, winners: list[str], failed: dict[str, tuple[str, Bound]]
) -> None:
    found = decided()[device_class]
    assert [item.variant_key for item in found.winners] == winners
    told = {
        item.configuration.variant_key: (item.failed[0].constraint.quantity, item.failed[0].bound)
        for item in found.rejected
    }
    assert told == failed


def test_the_margin_is_that_of_the_objective_with_both_intervals() -> None:
    margin = decided()["orin-nx-16gb, L4T 36.4"].margin
    assert margin is not None
    assert margin.value == pytest.approx(80 / 50)
    assert margin.low == pytest.approx(1.6 / math.exp(math.hypot(math.log(80 / 79.2), math.log(50.5 / 50))))
    assert margin.high == pytest.approx(1.6 * math.exp(math.hypot(math.log(80.8 / 80), math.log(50 / 49.5))))


def test_the_dla_pays_on_one_release_and_is_impossible_on_the_next() -> None:
    old, new = decided()["agx-orin-64gb, L4T 36.4"], decided()["agx-orin-64gb, L4T 38.2"]
    assert [(item.compatibility, item.use) for item in old.dla] == [(Compatibility.FULL, True)]
    assert [(item.compatibility, item.use) for item in new.dla] == [(Compatibility.IMPOSSIBLE, False)]
    assert NO_DLA in new.dla[0].evidence[0]


def test_a_class_is_its_worst_board_and_what_was_throttled_is_listed() -> None:
    found = decided()["orin-nano-4gb, L4T 36.4"]
    assert found.boards == ("small-1", "small-2")
    assert found.rejected[0].failed[0].reason == "p99_ms 34 is above 33 by 3.0%"
    assert [(item.device, item.verdict) for item in found.not_valid] == [("small-1", "THROTTLED")]
    assert found.reason == "no variant keeps every constraint"


def test_without_the_slow_board_the_class_ships() -> None:
    found = decided([row for row in ROWS if row.device != "small-2"])["orin-nano-4gb, L4T 36.4"]
    assert [item.variant_key for item in found.winners] == [FP16]
