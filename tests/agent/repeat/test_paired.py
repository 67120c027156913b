"""Two in turns: when another process is run, and what all of them leave."""

import pytest

from agent.repeat.paired import PairedRuns
from agent.repeat.repetition import repetition_of
from jetfleet.v1.task_pb2 import (
    FAILURE_KIND_CRASHED,
    FAILURE_KIND_TIME_LIMIT,
    BenchTask,
    Failure,
    Measured,
    Measurement,
    MeasureOptions,
    Outcome,
    PairedRun,
    RegressionLimit,
    Run,
    TaskSpec,
)

LEFT_S = 1000.0


def process(index: int, ratio: float, *, left_out: str = "") -> Outcome:
    found = Measured()
    for subject in range(2):
        item = Measurement(subject_index=subject, n=100, processes=1)
        item.metrics["p50_ms"].value = 2.0 * (ratio if subject else 1.0)
        item.runs.append(Run(index=index, n=100, metrics={"p50_ms": item.metrics["p50_ms"].value}))
        found.measurements.append(item)
    run = PairedRun(index=index, second_loaded_first=index % 2 == 1, ratios={"p50_ms": ratio}, left_out=left_out)
    found.interleaved.runs.append(run)
    return Outcome(measured=found)


def run_all(ratios: list[float], measure: MeasureOptions | None = None, *, left_s: float = LEFT_S) -> list[Outcome]:
    repetition, outcomes = PairedRuns(measure or MeasureOptions()), list[Outcome]()
    for index, ratio in enumerate(ratios):
        outcomes.append(process(index, ratio))
        if not repetition.wants_another(outcomes, spent_s=4.0 * len(outcomes), left_s=left_s - 4.0 * len(outcomes)):
            break
    return outcomes


def stopped(outcomes: list[Outcome], measure: MeasureOptions | None = None) -> str:
    return PairedRuns(measure or MeasureOptions()).merge(outcomes).measured.interleaved.stopped


def test_a_clear_difference_is_decided_at_the_first_look():
    outcomes = run_all([1.05, 1.051, 1.049, 1.05, 1.05, 1.05])
    assert len(outcomes) == 4
    assert stopped(outcomes) == "the second one is slower, at the look at 4 processes"


def test_equal_ones_are_decided_once_processes_agree():
    outcomes = run_all([1.002, 0.998, 1.003, 0.999, 1.001, 0.997, 1.0, 1.002])
    assert stopped(outcomes).startswith("they are the same, at the look at")
    assert len(outcomes) in (4, 6, 8)


def test_what_cannot_be_decided_ends_at_the_last_look():
    outcomes = run_all([1.1, 0.92] * 20)
    assert len(outcomes) == 24
    assert stopped(outcomes) == "nothing was decided at the last look, at 24 processes"


def test_as_many_as_somebody_asked_for_and_no_look_before():
    measure = MeasureOptions(runs=7)
    outcomes = run_all([1.5] * 20, measure)
    assert len(outcomes) == 7
    assert list(PairedRuns(measure).merge(outcomes).measured.interleaved.looks) == [7]


def limits(**most: float) -> MeasureOptions:
    return MeasureOptions(max_regression=[RegressionLimit(metric=name, limit=limit) for name, limit in most.items()])


def test_a_gate_goes_on_until_it_is_known_whether_its_limit_is_kept():
    ratios = [1.052, 1.04, 1.058, 1.05] * 6
    assert stopped(run_all(ratios)) == "the second one is slower, at the look at 4 processes"
    outcomes = run_all(ratios, limits(p50_ms=0.03))
    assert len(outcomes) > 4
    assert stopped(outcomes, limits(p50_ms=0.03)).startswith("p50_ms is beyond the limit, at the look at ")


def test_a_gate_ends_as_soon_as_its_limit_is_known_to_be_kept():
    ratios = [1.006, 0.997, 1.004, 0.995] * 6
    assert len(run_all(ratios)) > 4
    assert stopped(run_all(ratios, limits(p50_ms=0.03)), limits(p50_ms=0.03)) == (
        "p50_ms is within the limit, at the look at 4 processes"
    )


def test_a_limit_of_what_has_no_ratios_leaves_the_question_as_it_was():
    ratios = [1.05, 1.051, 1.049, 1.05] * 6
    assert len(run_all(ratios, limits(energy_mj=0.03))) == 4
    assert "slower" in stopped(run_all(ratios, limits(energy_mj=0.03)), limits(energy_mj=0.03))


def test_a_process_that_stood_still_is_replaced_and_kept_with_its_reason():
    repetition = PairedRuns(MeasureOptions(runs=3))
    outcomes = [process(0, 1.05), process(1, 9.0, left_out="a gap of 2 s"), process(2, 1.05)]
    assert repetition.wants_another(outcomes, spent_s=12, left_s=LEFT_S)
    outcomes.append(process(3, 1.05))
    assert not repetition.wants_another(outcomes, spent_s=16, left_s=LEFT_S)
    runs = repetition.merge(outcomes).measured.interleaved.runs
    assert [(run.index, run.left_out) for run in runs] == [(0, ""), (1, "a gap of 2 s"), (2, ""), (3, "")]


def test_time_that_is_up_ends_it_and_says_so():
    outcomes = run_all([1.1, 0.92] * 20, left_s=30.0)
    assert 4 < len(outcomes) < 24
    assert "no time was left" in stopped(outcomes)


def test_a_failure_is_the_attempt_s_and_time_that_ran_out_costs_one_process():
    repetition = PairedRuns(MeasureOptions())
    done = [process(0, 1.05), process(1, 1.05)]
    crashed = [*done, Outcome(failure=Failure(kind=FAILURE_KIND_CRASHED, message="it died", phase="measure"))]
    assert not repetition.wants_another(crashed, spent_s=9, left_s=LEFT_S)
    assert repetition.merge(crashed).failure.kind == FAILURE_KIND_CRASHED
    late = [*done, Outcome(failure=Failure(kind=FAILURE_KIND_TIME_LIMIT, message="late", phase="measure"))]
    assert len(repetition.merge(late).measured.interleaved.runs) == 2


def test_an_engine_that_is_wrong_is_not_run_again():
    wrong = Outcome(measured=Measured(measurements=[Measurement(subject_index=k) for k in range(2)]))
    repetition = PairedRuns(MeasureOptions())
    assert not repetition.wants_another([wrong], spent_s=1, left_s=LEFT_S)
    assert not repetition.merge([wrong]).measured.HasField("interleaved")


@pytest.mark.parametrize(("margin", "answer"), [(0.01, "slower"), (0.1, "the same")])
def test_the_margin_is_the_job_s(margin: float, answer: str):
    measure = MeasureOptions(margin=margin)
    outcomes = run_all([1.05, 1.051, 1.049, 1.05], measure)
    assert answer in stopped(outcomes, measure)
    assert PairedRuns(measure).merge(outcomes).measured.interleaved.margin == margin


def test_the_schedule_decides_which_rule_there_is():
    spec = TaskSpec(bench=BenchTask(schedule=BenchTask.SCHEDULE_INTERLEAVED))
    assert isinstance(repetition_of(spec), PairedRuns)
    assert not isinstance(repetition_of(TaskSpec(bench=BenchTask(schedule=BenchTask.SCHEDULE_ALONE))), PairedRuns)
