"""Power modes and clocks as axes, from the job file to the comparison: a real helper on a constructed board."""

import json
from pathlib import Path

from testing.helper_process import HelperProcess
from testing.restore_trials import TrialBoard
from tests.cli.conftest import Command
from tests.cli.test_sweep import write_job

MODES = "{power_mode: [15W, 25W], clocks: [as-is, locked], exclude: [{power_mode: 25W, clocks: as-is}]}"


def test_each_mode_is_a_variant_that_is_measured_under_it(
    command: Command, tmp_path: Path, board: TrialBoard, helper: HelperProcess
) -> None:
    job = write_job(tmp_path, MODES)
    done = command("submit", str(job), "--wait", "--json", JETFLEET_HELPER=str(helper.socket))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    found = {row["variant"].partition("cpu-")[2]: (row["power_mode"], row["settings"]) for row in document["results"]}
    assert found == {
        "clocks_as-is-power_mode_15W": ("15W", {"power_mode": "15W"}),
        "clocks_locked-power_mode_15W": ("15W", {"power_mode": "15W", "clocks": "locked"}),
        "clocks_locked-power_mode_25W": ("25W", {"power_mode": "25W", "clocks": "locked"}),
    }
    assert board.differs == {}
    asked = command("query", "SELECT variant, power_mode, settings ->> 'clocks' FROM v_results ORDER BY variant")
    assert "clocks_locked-power_mode_25W" in asked.stdout
    compared = command("compare", str(document["job"]["id"]), "--json")
    reasons = [item["reason"] for item in json.loads(compared.stdout)["compared"]["comparisons"]]
    assert len(reasons) == 2
    assert not [reason for reason in reasons if reason and "power_mode" in reason]


def test_a_mode_that_no_board_has_is_refused_at_submit(command: Command, tmp_path: Path, helper: HelperProcess) -> None:
    job = write_job(tmp_path, "{power_mode: [99W]}")
    done = command("submit", str(job), "--wait", JETFLEET_HELPER=str(helper.socket))
    assert done.returncode != 0
    assert "it has no power mode 99W (it has 15W 25W MAXN_SUPER 10W 7W)" in done.stderr


def test_a_mode_that_needs_a_reboot_is_refused_at_submit(
    command: Command, tmp_path: Path, helper: HelperProcess
) -> None:
    job = write_job(tmp_path, "{power_mode: [7W]}")
    done = command("submit", str(job), "--wait", JETFLEET_HELPER=str(helper.socket))
    assert "power mode 7W needs a reboot from 15W" in done.stderr
