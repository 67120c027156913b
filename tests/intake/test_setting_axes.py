"""Power mode and clocks in job.yaml: as axes, for all variants, and refused with the place."""

from pathlib import Path

import pytest

from controller.intake.jobfile.setting_axes import settings_of
from controller.intake.jobfile.spec import LoadedJob, load_text
from controller.model.job import Soak
from jetfleet.errors import BadInput


def load(variants: str = "{}", measure: str = "{}", limits: str = "{}") -> LoadedJob:
    text = (
        f"apiVersion: jetfleet/v1\nname: a\nmodel: {{onnx: m.onnx}}\n"
        f"variants: {variants}\nmeasure: {measure}\nlimits: {limits}\n"
    )
    return load_text(text, Path("job.yaml"))


def settings(loaded: LoadedJob) -> list[dict[str, str]]:
    return [settings_of(loaded.job.measure, point.settings) for point in loaded.points]


def test_axes_multiply_and_stand_in_the_key() -> None:
    loaded = load("{power_mode: [15W, MAXN], clocks: [as-is, locked]}")
    assert [point.key.partition("cpu")[2] for point in loaded.points] == [
        "-clocks_as-is-power_mode_15W",
        "-clocks_as-is-power_mode_MAXN",
        "-clocks_locked-power_mode_15W",
        "-clocks_locked-power_mode_MAXN",
    ]
    assert settings(loaded)[0] == {"power_mode": "15W"}
    assert settings(loaded)[3] == {"power_mode": "MAXN", "clocks": "locked"}


def test_a_plain_value_is_for_all_variants_and_in_no_key() -> None:
    loaded = load("{batch: [1, 2]}", "{power_mode: 15W, clocks: locked}")
    assert [point.key for point in loaded.points] == ["onnxruntime-fp32-b1-cpu", "onnxruntime-fp32-b2-cpu"]
    assert settings(loaded) == [{"power_mode": "15W", "clocks": "locked"}] * 2


def test_an_axis_goes_before_the_plain_value() -> None:
    assert settings(load("{clocks: [as-is]}", "{power_mode: 15W, clocks: locked}")) == [{"power_mode": "15W"}]


def test_exclude_and_include() -> None:
    loaded = load(
        "{power_mode: [15W, MAXN], exclude: [{power_mode: MAXN}], include: [{power_mode: 25W, batch: 8}], batch: [1]}"
    )
    assert [(point.batch, dict(point.settings)) for point in loaded.points] == [
        (1, {"power_mode": "15W"}),
        (8, {"power_mode": "25W"}),
    ]


@pytest.mark.parametrize(
    ("variants", "measure", "what"),
    [
        ("{power_mode: []}", "{}", "a list of 1 to 64"),
        ("{power_mode: [15W, 15W]}", "{}", "'15W' is listed twice"),
        ("{power_mode: ['15W; reboot']}", "{}", "'15W; reboot' is not allowed here"),
        ("{power_mode: [../x]}", "{}", "'../x' is not allowed here"),
        ("{clocks: [free]}", "{}", "'as-is' or 'locked'"),
        ("{exclude: [{power_mode: 15W}]}", "{}", "power_mode is not an axis"),
        ("{}", "{clocks: true}", "'as-is' or 'locked'"),
        ("{}", "{power_mode: 3}", "3 is not allowed here"),
        ("{}", "{soak: {max_s: 0}}", "a number above 0 and of at most 7200"),
        ("{}", "{soak: {celsius_per_minute: -1}}", "-1 is not allowed here"),
        ("{}", "{soak: {max_s: 700}}", "soak, warm-up and timed windows may take 710.3 s"),
    ],
)
def test_what_is_wrong_is_told(variants: str, measure: str, what: str) -> None:
    with pytest.raises(BadInput, match=r"job\.yaml") as found:
        load(variants, measure)
    assert what in str(found.value)


def test_a_dimension_of_the_same_name_is_refused() -> None:
    text = (
        "apiVersion: jetfleet/v1\nname: a\nmodel: {onnx: m.onnx, inputs: {x: {shape: [batch, clocks=4]}}}\n"
        "variants: {clocks: [locked], dims: {clocks: [4, 8]}}\n"
    )
    with pytest.raises(BadInput, match="clocks is an axis of the board"):
        load_text(text, Path("job.yaml"))


def test_soak() -> None:
    assert load().measure.soak is None
    assert load(measure="{soak: false}").measure.soak is None
    assert load(measure="{soak: true}").measure.soak == Soak(300.0, 0.5)
    assert load(measure="{soak: {max_s: 20, celsius_per_minute: 2}}").measure.soak == Soak(20.0, 2.0)
