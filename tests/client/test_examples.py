"""The example of a fleet without a board: a file of facts, and a job for what it can run."""

from testing.jobs import simulated_job, submit
from testing.processes import wait_online
from tests.house.source import ROOT


def test_the_example_board_takes_part_and_says_that_it_is_simulated(client, start_agent, tmp_path):
    start_agent("one", extra=("--facts", str(ROOT / "examples/simulated/board.json")))
    wait_online(client, "one")
    (device,) = client.devices()
    assert device.facts["sku"] == "orin-nx-16gb"
    job_id = submit(client, simulated_job(tmp_path / "job"))
    assert client.wait(job_id).state.value == "SUCCEEDED"
    assert {row.measurement.provenance.value for row in client.results()} == {"SIMULATED"}
