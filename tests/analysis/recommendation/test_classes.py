"""The one pass over the rows says what the plain sentences say: of one class, of its repeats the newest VALID one."""

from dataclasses import replace
from itertools import groupby

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.analysis.recommendation.classes import by_class, class_of
from controller.analysis.recommendation.configurations import configurations_of
from controller.analysis.recommendation.recommend import recommend
from controller.model.job import Mode
from controller.model.recommendation import Goals
from controller.model.result import VALID, FlagKind, Provenance, Row, Schedule
from tests.analysis.recommendation.fleet import ORIN_NANO, measured


@st.composite
def repeats(draw: st.DrawFn) -> list[Row]:
    numbers = draw(st.lists(st.integers(1, 99), min_size=1, max_size=25, unique=True))
    return [_repeat(draw, number) for number in numbers]


def _repeat(draw: st.DrawFn, number: int) -> Row:
    schedule = draw(st.sampled_from([Schedule.ALONE, *Schedule]))
    row = measured(
        number,
        draw(st.sampled_from(["tensorrt-fp16-b1-gpu", "tensorrt-fp16-b1-gpu+dla0"])),
        1.0 * number,
        *draw(st.sampled_from([(), (), (FlagKind.THROTTLED,), (FlagKind.TACTICS_SKIPPED,)])),
        device=draw(st.sampled_from(["nano-1", "nano-2"])),
        facts={**ORIN_NANO, **draw(st.sampled_from([{}, {"power_mode": "7W"}, {"l4t": "35.6"}]))},
        schedule=schedule,
        subject_index=0 if schedule is Schedule.ALONE else draw(st.sampled_from([None, 0, 1])),
    )
    clocks = [{"gpu_clocks": "locked at 918 MHz"}, {"gpu_clocks": "free, 306 to 918 MHz"}]
    said = draw(st.sampled_from([{}, *clocks, {"power_mode": "25W"}]))
    provenance = draw(st.sampled_from(Provenance))
    measurement = replace(row.measurement, provenance=provenance, circumstances=said)
    return replace(row, measurement=measurement, mode=draw(st.sampled_from([Mode.LATENCY, Mode.PACED])))


def plainly(rows: list[Row]) -> list[Row]:
    def place(row: Row) -> str:
        said = row.measurement.circumstances.get("gpu_clocks", "")
        clock = said if said.startswith("locked") else ""
        what = (row.model_name, row.variant_key, row.power_mode, clock, row.device, row.mode, row.part)
        return str((class_of(row), what))

    counted = [row for row in rows if row.measurement.verdict == VALID and row.schedule is not Schedule.INTERLEAVED]
    places = groupby(sorted(counted, key=place), key=place)
    return [max(together, key=lambda row: row.measurement_id) for _, together in places]


@settings(max_examples=200, deadline=None)
@given(repeats())
def test_of_repeats_the_newest_valid_one_speaks_and_the_rest_is_counted_where_it_belongs(rows: list[Row]) -> None:
    found = by_class(iter(rows))
    spoken = [row for here in found.values() for row in here.newest.values()]
    assert {row.measurement_id for row in spoken} == {row.measurement_id for row in plainly(rows)}
    assert set(found) == {class_of(row) for row in rows}
    for key, here in found.items():
        own = [row for row in rows if class_of(row) == key]
        assert here.boards == {row.device for row in own}
        assert here.not_valid == [row for row in own if row.measurement.verdict != VALID]
        in_turns = [row for row in own if row.measurement.verdict == VALID and row.schedule is Schedule.INTERLEAVED]
        assert here.in_turns == {row.device for row in in_turns}


def test_a_snapshot_of_facts_that_is_gone_is_not_taken_for_the_next_one() -> None:
    made = (
        measured(number, "tensorrt-fp16-b1-gpu", 1.0, facts={**ORIN_NANO, "l4t": f"36.{number}"})
        for number in range(1, 51)
    )
    assert {key.releases[0] for key in by_class(made)} == {f"36.{number}" for number in range(1, 51)}


def test_a_variant_of_several_subjects_has_the_placement_of_the_whole_whatever_the_order() -> None:
    parts = [
        measured(number, "tensorrt-fp16-b1-gpu+dla0", 1.0, schedule=Schedule.CONCURRENT, subject_index=index)
        for number, index in ((1, 0), (2, 1), (3, None))
    ]
    parts = [replace(row, placement=place) for row, place in zip(parts, ("gpu", "dla0", "gpu+dla0"), strict=True)]
    for rows in (parts, parts[::-1]):
        (found,) = by_class(rows).values()
        assert [item.placement for item in configurations_of(found, {})] == ["gpu+dla0"]


def test_a_power_mode_is_the_one_that_was_in_force_and_not_that_of_the_snapshot() -> None:
    rows = [measured(number, "tensorrt-fp16-b1-gpu", 10.0 * number, power_mean_w=5.0 / number) for number in (1, 2)]
    rows = [
        replace(row, measurement=replace(row.measurement, circumstances={"power_mode": mode}))
        for row, mode in zip(rows, ("25W", "7W"), strict=True)
    ]
    (found,) = recommend(rows, Goals("p50_ms")).classes
    assert [item.label for item in found.winners] == ["tensorrt-fp16-b1-gpu in 25W"]
    assert found.cheapest_mode is not None
    assert found.cheapest_mode.power_mode == "7W"
    unknown = replace(rows[0], measurement=replace(rows[0].measurement, circumstances={"power_mode": "unknown"}))
    assert [item.power_mode for item in recommend([unknown], Goals("p50_ms")).classes[0].winners] == [""]


def test_locked_clocks_are_a_configuration_of_their_own() -> None:
    rows = [measured(1, "tensorrt-fp16-b1-gpu", 10.0), measured(2, "tensorrt-fp16-b1-gpu", 8.0)]
    said = ({"gpu_clocks": "free, 306 to 918 MHz"}, {"gpu_clocks": "locked at 918 MHz"})
    rows = [
        replace(row, measurement=replace(row.measurement, circumstances=one))
        for row, one in zip(rows, said, strict=True)
    ]
    found = recommend(rows, Goals("p50_ms")).classes[0]
    assert [item.label for item in found.winners] == ["tensorrt-fp16-b1-gpu in 15W, locked at 918 MHz"]
    assert [item.configuration.label for item in found.runners_up] == ["tensorrt-fp16-b1-gpu in 15W"]


def test_rows_of_one_key_with_unlike_options_are_configurations_of_their_own() -> None:
    """Of two jobs: options that are no axes are in no key, and the newest row would stand for both."""
    rows = [
        replace(measured(number, "simulated-fp32-b1-cpu", p50_ms), options=options)
        for number, p50_ms, options in (
            (1, 2.0, {"latency_ms": "2", "tf32": "on"}),
            (2, 3.0, {"latency_ms": "3", "tf32": "on"}),
            (3, 4.0, {"tf32": "on"}),
        )
    ]
    found = recommend(rows, Goals("p50_ms")).classes[0]
    assert [item.variant for item in found.winners] == ["simulated-fp32-b1-cpu (latency_ms 2)"]
    assert [item.configuration.variant for item in found.runners_up] == [
        "simulated-fp32-b1-cpu (latency_ms 3)",
        "simulated-fp32-b1-cpu (latency_ms as by default)",
    ]
    assert found.winners[0].label == "simulated-fp32-b1-cpu (latency_ms 2) in 15W"
    alike = recommend([replace(row, options={"tf32": "on"}) for row in rows], Goals("p50_ms")).classes[0]
    assert [item.variant for item in alike.winners] == ["simulated-fp32-b1-cpu"]
    assert not alike.runners_up
