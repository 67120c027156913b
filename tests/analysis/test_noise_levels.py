"""The noise of a device at each level, where each level moves by something else."""

import math
import random
from dataclasses import replace

import pytest

from controller.analysis.noise_levels import device_noise
from controller.model.noise import DeviceNoise, NoiseLevel
from controller.model.result import FlagKind, Provenance, Round, Row
from tests.analysis.runs import row, run_medians


def bench(noise: random.Random, number: int, *, session: float, between: float, within: float) -> Row:
    medians = run_medians(noise, session=session, between=between)
    rounds = tuple(
        Round(50, centre * math.exp(noise.gauss(0, within)), centre, run=index)
        for index, centre in enumerate(medians)
        for _ in range(10)
    )
    made = row(number, medians)
    return replace(made, measurement=replace(made.measurement, rounds=rounds))


def levels(found: DeviceNoise) -> dict[str, NoiseLevel]:
    return {level.name: level for level in found.levels}


def test_each_level_is_told_from_the_others() -> None:
    noise = random.Random(1)
    rows = [bench(noise, number, session=0.02, between=0.005, within=0.001) for number in range(40)]
    found = device_noise("nano-1", rows, "p50_ms", provenance=Provenance.MEASURED)
    of = levels(found)
    assert (of["round"].values, of["run"].values, of["bench"].values) == (2000, 200, 40)
    assert of["round"].deviation == pytest.approx(0.001, rel=0.1)
    assert of["run"].deviation == pytest.approx(0.005, rel=0.15)
    assert of["bench"].deviation == pytest.approx(0.02, rel=0.25)
    assert of["bench"].limit == pytest.approx(found.floor.share)
    assert of["bench of one process"].deviation is None


def test_what_was_never_repeated_is_unknown_and_what_is_assumed_is_said() -> None:
    found = device_noise("nano-1", [row(1), row(2, device="nano-2")], "p50_ms", provenance=Provenance.MEASURED)
    of = levels(found)
    assert of["run"].deviation is not None
    assert (of["bench"].deviation, of["bench"].limit) == (None, None)
    assert "assumed: nano-1 has no VALID repeats" in found.floor.source


def test_rows_that_are_wrong_or_not_measured_are_left_out() -> None:
    rows = [row(1), row(2, 10.01), row(3, 30.0, FlagKind.WRONG_OUTPUT), row(4, 30.0, provenance=Provenance.SIMULATED)]
    found = device_noise("nano-1", rows, "p50_ms", provenance=Provenance.MEASURED)
    assert (found.left_out, found.flagged) == (1, 0)
    assert levels(found)["bench"].values == 2
    single = [row(5, one_process=True), row(6, 11.0, one_process=True)]
    of = levels(device_noise("nano-1", single, "p50_ms", provenance=Provenance.MEASURED))
    assert of["bench of one process"].values == 2
    assert of["run"].values == 0


def test_a_noisy_machines_noise_is_shown_and_its_floor_is_not_learnt_from_what_is_not_ranked() -> None:
    noisy = [row(number, 10.0 + number, FlagKind.INTERFERED, FlagKind.NOT_REPEATABLE) for number in range(1, 6)]
    found = device_noise("nano-1", noisy, "p50_ms", provenance=Provenance.MEASURED)
    assert (found.flagged, found.left_out) == (5, 0)
    deviation = levels(found)["bench"].deviation
    assert deviation is not None
    assert deviation > 0.1
    said = "assumed: of 5 benches no two of a kind are VALID (INTERFERED): quiet the device"
    assert said in found.floor.source
    assert "controller noise" not in found.floor.source


def test_builds_of_one_variant_are_a_level() -> None:
    noise = random.Random(2)
    keys = {1: "", 2: "-build_2", 3: "-build_3"}
    rows = [
        row(10 * job + build, 10.0 * math.exp(noise.gauss(0, 0.03)), job_id=job, engine_key=f"{job}{build}", **named)
        for job in range(1, 31)
        for build, suffix in keys.items()
        for named in [{"variant_key": f"tensorrt-fp16-b1-gpu{suffix}"}]
    ]
    found = levels(device_noise("nano-1", rows, "p50_ms", provenance=Provenance.MEASURED))["build"]
    assert (found.values, found.things) == (90, 30)
    assert found.deviation == pytest.approx(0.03, rel=0.2)
    assert levels(device_noise("nano-1", rows[:1], "p50_ms", provenance=Provenance.MEASURED))["build"].values == 0
