"""The decision rule: every answer with its reason, which row speaks for a thing, and what may not be compared."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from controller.analysis.answers import DecisionRule, answer_of
from controller.analysis.choose import choose
from controller.analysis.compare import compare
from controller.model.comparison import Answer, Axis, ComparisonReport, Effect
from controller.model.job import Mode, Precision
from controller.model.result import Estimate, FlagKind, Provenance, Row, Schedule
from jetfleet.errors import BadInput
from tests.analysis.runs import BOARD, repeats, row


def one(*rows: Row, **options: Any) -> Any:
    """On a device that has shown how quiet it is."""
    (found,) = compare(rows, history=quiet(rows), **options).comparisons
    return found


def quiet(rows: Sequence[Row]) -> list[Row]:
    devices = sorted({item.device for item in rows})
    return [item for n, device in enumerate(devices, start=1) for item in repeats(first=1000 * n, device=device)]


def answers(found: ComparisonReport) -> list[Answer]:
    return [item.answer for item in found.comparisons]


@pytest.mark.parametrize(
    ("p50_ms", "answer"),
    [(10.0, Answer.SAME), (10.6, Answer.SLOWER), (9.4, Answer.FASTER), (10.05, Answer.SAME), (10.2, Answer.SLOWER)],
)
def test_the_answers_on_a_quiet_device(p50_ms: float, answer: Answer) -> None:
    found = one(row(1), row(2, p50_ms))
    assert found.answer is answer
    assert found.ratio.value == pytest.approx(p50_ms / 10, rel=1e-3)
    assert found.ratio.low <= found.ratio.value <= found.ratio.high
    assert found.floor.source == "0.2%, learnt from 12 A/A benches on nano-1"
    assert found.advice == ""
    assert 0.001 < found.effect.smallest < 0.01


@pytest.mark.parametrize("p50_ms", [10.0, 10.05, 10.3, 9.7])
def test_a_device_that_has_repeated_nothing_never_makes_two_benches_the_same(p50_ms: float) -> None:
    (found,) = compare([row(1), row(2, p50_ms)]).comparisons
    assert found.answer is Answer.CANNOT_TELL
    assert found.reason == "the interval holds no difference, and more than the margin of 1 %"
    assert found.floor.source == "11.1%, assumed: nano-1 has no VALID repeats (`controller noise nano-1`)"
    assert "`submit --ab`" in found.advice
    assert found.effect.smallest > 0.05
    (found,) = compare([row(1), row(2, 20.0)]).comparisons
    assert found.answer is Answer.SLOWER


def test_a_noisy_device_cannot_tell_a_planted_slowdown_and_says_what_could() -> None:
    """A floor of a quarter used to make 5 % the SAME."""
    noisy = repeats(first=100, spread=0.07)
    (found,) = compare([row(1), row(2, 10.5)], history=noisy).comparisons
    assert found.answer is Answer.CANNOT_TELL
    assert found.floor.share > 0.25
    assert "`submit --ab`" in found.advice
    assert found.effect.smallest > 0.25


def test_runs_that_differ_widen_the_interval_and_the_drift_that_is_assumed() -> None:
    wild = [10.0, 10.6, 9.4, 10.3, 9.7]
    (found,) = compare([row(1, wild), row(2, [value * 1.05 for value in wild])]).comparisons
    assert found.answer is Answer.CANNOT_TELL
    assert found.ratio.low < 0.9
    assert found.ratio.high > 1.2


def test_one_process_has_no_interval_for_others() -> None:
    found = one(row(1, one_process=True), row(2, 20.0, one_process=True))
    assert (found.answer, found.ratio.value, found.ratio.low) == (
        Answer.CANNOT_TELL,
        pytest.approx(2.0, rel=1e-3),
        None,
    )
    assert found.reason == (
        "no interval: both were measured in one process, whose interval knows nothing of the next process"
    )
    assert "`submit --ab`" in found.advice
    assert "it was measured in one process" in one(row(1), row(2, one_process=True)).reason
    assert "the baseline was measured in one process" in one(row(1, one_process=True), row(2)).reason


def test_benches_of_one_process_are_compared_by_what_such_benches_have_shown() -> None:
    before = repeats(first=100, spread=0.01, one_process=True)
    rows = [row(1, one_process=True), row(2, 20.0, one_process=True)]
    (found,) = compare(rows, history=before).comparisons
    assert (found.answer, found.effect.source.value) == (Answer.SLOWER, "ONE_RUN")
    (found,) = compare([rows[0], row(2, 10.1, one_process=True)], history=before).comparisons
    assert found.answer is Answer.CANNOT_TELL
    (mixed,) = compare([rows[0], row(2, 20.0)], history=before).comparisons
    assert mixed.answer is Answer.SLOWER


def effect(value: float, low: float, high: float) -> Effect:
    return Effect("p50_ms", 1.0, 1.0, Estimate(value, low, high))


def test_the_rule_is_symmetric_and_the_same_comes_first() -> None:
    rule = DecisionRule(0.01, 0.01)
    assert answer_of(effect(1.03, 1.001, 1.06), 0.009, rule)[0] is Answer.SLOWER
    assert answer_of(effect(1 / 1.03, 1 / 1.06, 1 / 1.001), 0.009, rule)[0] is Answer.FASTER
    assert answer_of(effect(1.03, 1.001, 1.06), 0.02, rule)[0] is Answer.CANNOT_TELL
    assert answer_of(effect(1.005, 1.001, 1.009), 1e-9, rule)[0] is Answer.SAME
    assert answer_of(effect(1.005, 0.99, 1.02), 0.5, rule)[0] is Answer.CANNOT_TELL
    assert answer_of(effect(1.02, 1.01, 1.03), 1e-9, DecisionRule(0.05, 0.01))[0] is Answer.SAME


def test_no_number_is_nothing_to_compare() -> None:
    found = one(row(1), row(2, []))
    assert (found.answer, found.reason) == (Answer.INCOMPARABLE, "no p50_ms to compare: no rounds")


def test_the_interval_always_holds_the_ratio_of_what_is_shown() -> None:
    odd = replace(row(2, 10.6).measurement, metrics={"p50_ms": Estimate(10.0)})
    found = one(row(1), row(2, measurement=odd))
    assert found.ratio.low <= found.ratio.value == pytest.approx(1.0, rel=1e-3)
    assert found.answer is Answer.CANNOT_TELL


FACTS = [
    ("power_mode is MAXN, 15W in the baseline", {"facts": {**BOARD, "power_mode": "MAXN"}}),
    ("l4t is 36.5, 36.4 in the baseline", {"facts": {**BOARD, "l4t": "36.5"}}),
    ("cpu_count is 4, 6 in the baseline", {"facts": {**BOARD, "cpu_count": 4}}),
    ("runtime_version is 10.4, 10.3 in the baseline", {"runtime_version": "10.4"}),
    ("model is other, mlp in the baseline", {"model_name": "other"}),
    ("provenance is SIMULATED, MEASURED in the baseline", {"provenance": Provenance.SIMULATED}),
    ("precision is fp32, fp16 in the baseline", {"precision": Precision.FP32}),
    ("batch is 8, 1 in the baseline", {"batch": 8}),
]


@pytest.mark.parametrize(("reason", "changes"), FACTS, ids=[reason.split()[0] for reason, _ in FACTS])
def test_jobs_under_other_circumstances_are_incomparable(reason: str, changes: dict[str, Any]) -> None:
    found = one(row(1), row(2, 20.0, **changes))
    assert (found.answer, found.ratio, found.reason) == (Answer.INCOMPARABLE, None, reason)


def under(number: int, **circumstances: str) -> Row:
    made = row(number)
    return replace(made, measurement=replace(made.measurement, circumstances=circumstances))


LOCKED, FREE = "locked at 1020 MHz", "free, 306 to 1020 MHz"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ({"gpu_clocks": FREE}, {"gpu_clocks": LOCKED}, f"gpu_clocks is {LOCKED}, {FREE} in the baseline"),
        ({"gpu_clocks": "unknown"}, {"gpu_clocks": FREE}, f"gpu_clocks is {FREE}, unknown in the baseline"),
        ({}, {"emc_clocks": LOCKED}, f"emc_clocks is {LOCKED}, unknown in the baseline"),
        ({"zero_copy": "off"}, {"zero_copy": "on"}, "zero_copy is on, off in the baseline"),
        ({}, {"inflight": "2"}, "inflight is 2, 1 in the baseline"),
    ],
)
@pytest.mark.parametrize("by", [Axis.JOB, Axis.DEVICE])
def test_what_was_a_measurements_own_must_agree(
    before: dict[str, str], after: dict[str, str], reason: str, by: Axis
) -> None:
    rows = [under(1, **before), replace(under(2, **after), device="nano-1" if by is Axis.JOB else "nano-2")]
    if by is Axis.DEVICE:
        rows[1] = replace(rows[1], job_id=1)
    found = one(*rows, by=by)
    assert (found.answer, found.reason) == (Answer.INCOMPARABLE, reason)
    name = reason.split()[0]
    waived = one(*rows, by=by, across=frozenset({name}))
    assert waived.answer is Answer.SAME
    assert reason in waived.notes


def test_a_cpu_has_no_manner_of_a_gpu_and_is_compared_with_one_as_by_default() -> None:
    on_gpu = {"zero_copy": "off", "inflight": "1", "cpu_clocks": FREE}
    assert one(under(1, cpu_clocks=FREE), under(2, **on_gpu)).answer is Answer.SAME


def test_clocks_that_nobody_could_read_are_said_beside_the_answer() -> None:
    unknown = {"gpu_clocks": "unknown", "cpu_clocks": FREE, "emc_clocks": "unknown, capped at 2133 MHz"}
    found = one(under(1, **unknown), under(2, **unknown))
    assert found.answer is Answer.SAME
    assert found.notes == ("gpu_clocks, emc_clocks unknown in both: the difference may be theirs",)
    assert one(under(1, cpu_clocks=FREE), under(2, cpu_clocks=FREE)).notes == ()


def test_what_may_differ_is_said_beside_the_answer() -> None:
    changes = {"facts": {**BOARD, "l4t": "36.5"}, "runtime_version": "10.4"}
    found = one(row(1), row(2, 20.0, **changes), across=frozenset({"l4t", "runtime_version"}))
    assert found.answer is Answer.SLOWER
    assert found.notes == ("l4t is 36.5, 36.4 in the baseline", "runtime_version is 10.4, 10.3 in the baseline")


@pytest.mark.parametrize(
    ("name", "said"),
    [("provenance", "never compared across"), ("hostname", "does not keep"), ("nonsense", "there is no fact")],
)
def test_not_everything_may_differ(name: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        compare([row(1), row(2)], across=frozenset({name}))


def variant(number: int, precision: Precision, p50_ms: float = 10.0, **changes: Any) -> Row:
    runtime = changes.pop("runtime", "tensorrt")
    key = f"{runtime}-{precision.value}-b{changes.get('batch', 1)}-gpu"
    return row(number, p50_ms, job_id=1, variant_key=key, precision=precision, runtime=runtime, **changes)


def test_variants_are_held_against_one_on_the_same_device() -> None:
    rows = [
        variant(1, Precision.FP32),
        variant(2, Precision.FP16, 5.0),
        variant(3, Precision.FP32, device="nano-2"),
        variant(4, Precision.FP16, 5.0, device="nano-3"),
        variant(5, Precision.FP32, 30.0, runtime="onnxruntime", runtime_version="1.23"),
        variant(6, Precision.INT8, 4.0, runtime_version="10.4"),
    ]
    found = compare(rows, by=Axis.VARIANT, baseline="tensorrt-fp32-b1-gpu")
    assert {item.row.measurement_id: item.answer for item in found.comparisons} == {
        2: Answer.FASTER,
        4: Answer.INCOMPARABLE,  # nothing to hold it against on nano-3
        5: Answer.SLOWER,  # another runtime has versions of its own
        6: Answer.INCOMPARABLE,
    }
    reasons = {item.row.measurement_id: item.reason for item in found.comparisons}
    assert reasons[4] == "tensorrt-fp32-b1-gpu has no result on nano-3"
    assert reasons[6].startswith("runtime_version")


def test_batches_are_compared_per_item() -> None:
    found = one(variant(1, Precision.FP32), variant(2, Precision.FP32, 40.0, batch=8))
    assert (found.answer, found.effect.per_item) == (Answer.FASTER, True)
    assert found.ratio.value == pytest.approx(0.5, rel=1e-3)
    assert found.ratio.low < 0.5 < found.ratio.high
    assert found.notes == (
        "batch 8 against 1: compared per item; one inference, the whole batch, takes 4.000 times as long",
    )
    assert not one(variant(1, Precision.FP32), variant(2, Precision.FP16)).effect.per_item


def test_dimensions_that_differ_are_told() -> None:
    rows = [
        row(1, job_id=1, variant_key="a", dims={"seq": 64}),
        row(2, 5.0, job_id=1, variant_key="b", dims={"seq": 128}),
        row(3, 5.0, job_id=1, variant_key="c", dims={}, runtime="simulated"),
    ]
    found = {item.row.variant_key: item.notes for item in compare(rows, by=Axis.VARIANT, baseline="a").comparisons}
    assert found == {
        "b": ("dimension seq is 128, 64 in the baseline",),
        "c": ("dimension seq is not an axis, 64 in the baseline",),
    }


def test_options_that_differ_are_told() -> None:
    rows = [
        row(1, job_id=1, variant_key="a", options={"threads": "1", "wait": "spin"}),
        row(2, 5.0, job_id=1, variant_key="b", options={"threads": "2", "wait": "spin"}),
        row(3, 5.0, job_id=1, variant_key="c", options={"wait": "spin"}),
        row(4, 5.0, job_id=1, variant_key="d", options={"sparsity": "on"}, runtime="simulated"),
    ]
    found = {item.row.variant_key: item.notes for item in compare(rows, by=Axis.VARIANT, baseline="a").comparisons}
    assert found == {
        "b": ("option threads is 2, 1 in the baseline",),
        "c": ("option threads is as by default, 1 in the baseline",),
        "d": ("options: sparsity on", "options of the baseline: threads 1, wait spin"),
    }


def test_devices_may_be_other_hardware_but_equal_boards_must_be_set_equally() -> None:
    agx = {**BOARD, "sku": "agx-orin", "power_mode": "MAXN", "l4t": "36.5"}
    assert one(row(1), row(2, 5.0, device="z", facts=agx), by=Axis.DEVICE).answer is Answer.FASTER
    found = one(row(1), row(2, 5.0, device="z", facts={**BOARD, "power_mode": "MAXN"}), by=Axis.DEVICE)
    assert (found.answer, found.reason) == (Answer.INCOMPARABLE, "power_mode is MAXN, 15W in the baseline")
    found = one(row(1), row(2, 5.0, device="z", facts=agx, runtime_version="9"), by=Axis.DEVICE)
    assert found.reason.startswith("runtime_version")


def test_simulated_rows_are_compared_with_each_other_only() -> None:
    fake = {"provenance": Provenance.SIMULATED}
    assert answers(compare([row(1, **fake), row(2, 20.0, **fake)])) == [Answer.SLOWER]
    rows = [row(1), row(2, 30.0, job_id=1, **fake), row(3), row(4, 15.0, job_id=3, **fake)]
    found = compare(rows, by=Axis.JOB, history=quiet(rows))
    assert sorted((item.row.measurement_id, item.answer) for item in found.comparisons) == [
        (3, Answer.SAME),
        (4, Answer.FASTER),
    ]


def test_only_valid_rows_are_ranked() -> None:
    found = one(row(1), row(2, 20.0, FlagKind.THROTTLED))
    assert (found.answer, found.ratio, found.reason) == (Answer.NOT_VALID, None, "THROTTLED: seen")
    found = one(row(1, 10.0, FlagKind.UNSTABLE), row(2, 20.0))
    assert (found.answer, found.reason) == (Answer.NOT_VALID, "the baseline is UNSTABLE: seen")


def test_the_newest_valid_row_speaks_and_says_when_it_is_not_the_newest() -> None:
    rows = [
        row(1, 10.01, job_id=1),
        row(2, job_id=1),
        row(3, 99.0, FlagKind.UNSTABLE, job_id=1),
        row(4, 10.6, job_id=2),
        row(5, 99.0, FlagKind.THROTTLED, job_id=2),
    ]
    found = one(*rows)
    assert (found.answer, found.row.measurement_id, found.baseline.measurement_id) == (Answer.SLOWER, 4, 2)
    assert found.notes == (
        "newest VALID: measurement 4 of job 2; the newest, 5 of job 2, is THROTTLED",
        "baseline: newest VALID: measurement 2 of job 1; the newest, 3 of job 1, is UNSTABLE",
    )


def together(number: int, index: int | None, p50_ms: float = 10.0, **changes: Any) -> Row:
    """A row of a task that ran on a GPU and a DLA at the same time; index None: of the whole."""
    made = row(number, p50_ms, **{"variant_key": "tensorrt-fp16-b1-gpu+dla0", "engine_key": str(index), **changes})
    p50 = made.measurement.p50_ms if index is not None else Estimate(None, reason="no one latency")
    place = "gpu+dla0" if index is None else ("gpu", "dla0")[index]
    measured = replace(made.measurement, subject_index=index, metrics={"p50_ms": p50})
    return replace(made, schedule=Schedule.CONCURRENT, placement=place, measurement=measured)


def quiet_together() -> list[Row]:
    return [
        together(1000 + n, n % 2, 10.0 * (1 + 0.0005 * (-1) ** (n // 2)), job_id=1000 + n, task_id=1000 + n)
        for n in range(24)
    ]


def test_subjects_of_two_jobs_are_held_against_each_other_and_wholes_have_no_latency() -> None:
    first = [together(number, index, job_id=1) for number, index in ((1, 0), (2, 1), (3, None))]
    second = [together(number, index, job_id=2) for number, index in ((4, None), (5, 1), (6, 0))]
    found = compare([*first, *second], history=quiet_together()).comparisons
    pairs = {(item.row.part, item.baseline.part if item.baseline else None): item for item in found}
    assert list(pairs) == [(part, part) for part in ("subject 0", "subject 1", "whole task")]
    assert [item.answer for item in pairs.values()] == [Answer.SAME, Answer.SAME, Answer.INCOMPARABLE]
    assert pairs["whole task", "whole task"].reason == (
        "no p50_ms to compare: no one latency; --metric throughput_per_s"
    )


def test_what_ran_beside_others_is_never_held_against_what_ran_alone() -> None:
    rows = [
        row(1, 5.0, job_id=1),
        *(together(number, index, job_id=1) for number, index in ((2, 0), (3, 1), (4, None))),
    ]
    found = compare(rows, baseline="tensorrt-fp16-b1-gpu").comparisons
    assert {item.answer for item in found} == {Answer.INCOMPARABLE}
    assert [item.reason for item in found] == [
        f"schedule is CONCURRENT, ALONE in the baseline; subject is {part}, the only one in the baseline"
        for part in ("subject 0", "subject 1", "whole task")
    ]


def test_one_row_speaks_for_each_subject() -> None:
    rows = [together(number, index, job_id=1) for number, index in ((1, 0), (2, 1), (3, 0), (4, 1))]
    chosen = choose(rows, Axis.VARIANT)
    assert [(place.part, item.row.measurement_id) for place, item in chosen.items()] == [
        ("subject 0", 3),
        ("subject 1", 4),
    ]


def test_two_ways_of_measuring_are_incomparable() -> None:
    found = one(row(1), row(2, mode=Mode.PACED))
    assert (found.answer, found.reason) == (Answer.INCOMPARABLE, "mode is paced, latency in the baseline")


def test_what_is_compared_when_nobody_says() -> None:
    jobs = [row(10), row(9)]
    assert (compare(jobs).by, compare(jobs).baseline) == (Axis.JOB, "9")
    several = [variant(1, Precision.FP32), variant(2, Precision.FP16)]
    assert (compare(several).by, compare(several).baseline) == (Axis.VARIANT, "tensorrt-fp32-b1-gpu")
    boards = [row(1, job_id=1, device="b"), row(2, job_id=1, device="a")]
    assert (compare(boards).by, compare(boards).baseline) == (Axis.DEVICE, "a")
    assert compare([]).comparisons == ()


def test_an_unknown_baseline_names_the_known_ones_and_the_axis_it_is_on() -> None:
    rows = [row(1), row(2)]
    with pytest.raises(BadInput, match="no result is of job '7'") as caught:
        compare(rows, baseline="7")
    assert caught.value.expected == "one of: 1, 2"
    with pytest.raises(BadInput) as caught:
        compare(rows, by=Axis.DEVICE, baseline="2")
    assert caught.value.hint == "it is a job: use --by job"


def test_repeats_of_which_no_two_are_valid_are_no_lack_of_repeats() -> None:
    """The compared pair is left out: an A/A pair of its own is nothing that the device has shown before."""
    spoilt = [row(number, 10.0, FlagKind.INTERFERED, variant_key="other", engine_key="other") for number in (3, 4, 5)]
    (found,) = compare([row(1), row(2, 10.3)], history=spoilt).comparisons
    assert found.floor.source.endswith(
        "assumed: of 3 benches no two of a kind are VALID (INTERFERED): quiet the device"
    )
    (found,) = compare([row(1), row(2, 10.3)], history=spoilt[:1]).comparisons
    assert "nano-1 has no VALID repeats (`controller noise nano-1`)" in found.floor.source
