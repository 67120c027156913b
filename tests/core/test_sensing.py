"""What a soak asks of a device: refused at planning where the device is known to lack it, and nowhere else."""

from dataclasses import replace

import pytest

from controller.core.plan import plan
from controller.model.job import Condition, JobSpec, Measure, Op, Soak
from controller.model.task import Device
from jetfleet.errors import NoDevice
from testing.devices import device
from testing.specs import any_of, every, job, variant

BLIND, SEEING, UNTOLD = device("blind", thermal_readable=False), device("seeing", thermal_readable=True), device("old")


def soaked(*, runtime: str = "onnxruntime", anywhere: bool = False) -> JobSpec:
    spec = job(variant(runtime=runtime), targets=(any_of() if anywhere else every(),))
    return replace(spec, measure=Measure(soak=Soak()))


def test_a_soak_where_no_temperature_can_be_read_is_refused():
    with pytest.raises(NoDevice) as caught:
        plan(soaked(), [BLIND], ())
    assert "no thermal zone can be read there" in caught.value.hint
    assert "a thermal zone that can be read" in caught.value.expected


def test_devices_without_one_are_left_out_and_those_that_do_not_say_are_not():
    found = plan(soaked(), [BLIND, SEEING, UNTOLD], ())
    assert [item.device_id for item in found.benches] == ["seeing", "old"]
    assert "blind is left out" in found.notes[0]


@pytest.mark.parametrize(("devices", "asked"), [([BLIND, SEEING], True), ([SEEING, UNTOLD], False)])
def test_whoever_claims_it_reads_a_temperature_where_some_cannot(devices: list[Device], asked: bool):
    (bench,) = plan(soaked(anywhere=True), devices, ()).benches
    assert bench.conditions == ((Condition("thermal_readable", Op.EQUALS, ("true",)),) if asked else ())


def test_what_never_runs_needs_no_temperature():
    simulated = device("made-up", runtime__simulated="1", thermal_readable=False)
    assert plan(soaked(runtime="simulated"), [simulated], ()).benches
    assert plan(job(variant()), [BLIND], ()).benches
