"""A DLA pays only where its operators are compatible and something gets better: one case of each kind."""

from controller.analysis.recommendation.configurations import BuiltEngine
from controller.analysis.recommendation.recommend import recommend
from controller.model.engine import DlaPlacement, Fallback
from controller.model.quantities import read_goals
from controller.model.recommendation import Compatibility, DlaFinding, Goals
from controller.model.result import Row, Schedule
from tests.analysis.recommendation.fleet import measured

GPU, DLA, BOTH = (f"tensorrt-fp16-b1-{placement}" for placement in ("gpu", "dla0", "gpu+dla0"))
ENGINE = "d" * 64
FULL = BuiltEngine(dla=DlaPlacement(layers_on_dla=60, layers_on_gpu=0, subgraphs=1))
PARTLY = BuiltEngine(
    dla=DlaPlacement(52, 8, 3, (Fallback("softmax_1", "SOFTMAX", "axis is not supported"),)),
)
FASTEST = Goals("p50_ms")


def finding(*rows: Row, goals: Goals = FASTEST, engine: BuiltEngine = FULL, **refusals: str) -> DlaFinding:
    (found,) = recommend(rows, goals, engines={ENGINE: engine}, refusals=refusals).classes
    (dla,) = found.dla
    return dla


def beside(number: int, gpu_per_s: float, dla_per_s: float) -> tuple[Row, ...]:
    """The rows of one concurrent task: two parts and their whole."""
    parts = [
        measured(number + index, BOTH, 6.0, engine_key=ENGINE, schedule=Schedule.CONCURRENT, subject_index=index)
        for index in range(2)
    ]
    whole = measured(
        number + 2,
        BOTH,
        None,
        schedule=Schedule.CONCURRENT,
        subject_index=None,
        throughput_per_s=gpu_per_s + dla_per_s,
    )
    return (*parts, whole)


def test_compatible_and_better_beside_the_gpu() -> None:
    found = finding(measured(1, GPU, 5.0, throughput_per_s=200.0), *beside(2, 180.0, 90.0))
    assert (found.variant_key, found.compatibility, found.use) == (BOTH, Compatibility.FULL, True)
    assert found.evidence[0] == "all 60 layers run on the DLA"
    assert "beside the GPU: throughput_per_s 270" in found.evidence[1]
    assert found.evidence[1].endswith("better, 0.741 times the GPU's, above 1 is worse")


def test_compatible_and_worse_alone() -> None:
    found = finding(measured(1, GPU, 5.0), measured(2, DLA, 11.0, engine_key=ENGINE))
    assert (found.compatibility, found.use) == (Compatibility.FULL, False)
    assert "alone: p50_ms 11 (10.89 to 11.11), 5 (4.95 to 5.05) on the GPU alone" in found.evidence[1]
    assert "worse, 2.2 times the GPU's" in found.evidence[1]


def test_partly_compatible_tells_what_falls_back_and_what_it_costs() -> None:
    found = finding(measured(1, GPU, 5.0), measured(2, DLA, 11.0, engine_key=ENGINE), engine=PARTLY)
    assert (found.compatibility, found.use) == (Compatibility.PARTLY, False)
    assert found.evidence[0] == "8 of 60 layers fall back to the GPU: softmax_1 (SOFTMAX: axis is not supported)"
    assert found.evidence[-1].endswith("the engine enters the DLA 3 times in one inference")


def test_impossible_on_this_tensorrt() -> None:
    (found,) = recommend(
        [measured(1, GPU, 5.0)], FASTEST, refusals={DLA: "TensorRT 11.1 has no DLA on this board"}
    ).classes
    assert found.dla == (
        DlaFinding(
            DLA, Compatibility.IMPOSSIBLE, False, ("it was not measured: TensorRT 11.1 has no DLA on this board",)
        ),
    )


def test_better_but_outside_of_the_constraints_is_not_used() -> None:
    goals = read_goals("latency", {"p99_ms": 8.0}, where="x")
    rows = (measured(1, GPU, 5.0, p99_ms=6.0), measured(2, DLA, 4.0, p99_ms=9.0, engine_key=ENGINE))
    found = finding(*rows, goals=goals)
    assert (found.use, found.evidence[1]) == (False, "p99_ms 9 is above 8 by 12.5%")


def test_what_intervals_do_not_tell_apart_cannot_be_told() -> None:
    found = finding(measured(1, GPU, 5.0), measured(2, DLA, 5.02, engine_key=ENGINE))
    assert found.use is None
    assert found.evidence[-1].endswith("the intervals do not tell them apart")


def test_with_no_gpu_variant_beside_it_nothing_can_be_told() -> None:
    found = finding(measured(1, DLA, 5.0, engine_key=ENGINE))
    assert (found.use, found.evidence[-1]) == (
        None,
        "no variant on the GPU alone was measured in this class: nothing to be better than",
    )
