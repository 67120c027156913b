"""A BENCH under a power mode and locked clocks: a real helper on a constructed board, and what the outcome says."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agent.daemon.board_settings import BoardSettings, restore_board
from agent.helper.client import ask
from jetfleet.errors import Infrastructure
from jetfleet.v1.task_pb2 import (
    FAILURE_KIND_SETTINGS_REFUSED,
    FLAG_KIND_CLOCK_DRIFT,
    BenchTask,
    BuildTask,
    Facts,
    Measured,
    Measurement,
    MeasureOptions,
    Outcome,
    Subject,
    TaskSpec,
)
from testing.boards.settable import contents
from testing.helper_process import HelperProcess
from testing.restore_trials import TrialBoard

GPU_RANGE = "sys/class/devfreq/17000000.gpu"
Run = Callable[[], Awaitable[Outcome]]


def bench(**measure: str) -> TaskSpec:
    subject = Subject(placement="gpu", runtime="tensorrt")
    return TaskSpec(bench=BenchTask(subjects=[subject], measure=MeasureOptions(**measure)))


def measured() -> Outcome:
    return Outcome(measured=Measured(measurements=[Measurement(n=3)]))


def under(helper: HelperProcess, spec: TaskSpec, run: Run) -> Outcome:
    return asyncio.run(BoardSettings(Facts(), helper=helper.socket).under(spec, run))


def test_the_mode_is_in_force_while_it_runs_and_not_afterwards(board: TrialBoard, helper: HelperProcess) -> None:
    seen = []

    async def run() -> Outcome:
        seen.append((board.root / f"{GPU_RANGE}/max_freq").read_text())
        return measured()

    outcome = under(helper, bench(power_mode="25W"), run)
    assert seen == ["918000000\n"]
    assert [item.circumstances["power_mode"] for item in outcome.measured.measurements] == ["25W"]
    assert not outcome.measured.measurements[0].flags
    assert board.differs == {}


def test_clocks_are_locked_while_it_runs(board: TrialBoard, helper: HelperProcess) -> None:
    seen = []

    async def run() -> Outcome:
        seen.extend(ask("read-mode", path=helper.socket)["locked"])
        return measured()

    outcome = under(helper, bench(clocks="locked"), run)
    assert seen == ["cpu", "gpu", "emc"]
    assert outcome.measured.measurements[0].circumstances["power_mode"] == "15W"
    assert board.differs == {}


@pytest.mark.parametrize(
    ("mode", "why"), [("7W", "power mode 7W needs a reboot"), ("99W", "no power mode 99W; it has 15W, 25W")]
)
def test_what_cannot_be_set_is_not_measured(board: TrialBoard, helper: HelperProcess, mode: str, why: str) -> None:
    async def run() -> Outcome:
        raise AssertionError("it was measured")

    failure = under(helper, bench(power_mode=mode), run).failure
    assert (failure.kind, failure.phase) == (FAILURE_KIND_SETTINGS_REFUSED, "settings")
    assert why in failure.message
    assert board.differs == {}


def test_clocks_that_are_not_locked_are_not_measured(board: TrialBoard, helper: HelperProcess) -> None:
    path = board.root / GPU_RANGE / "min_freq"
    path.unlink()
    path.mkdir()

    async def run() -> Outcome:
        raise AssertionError("it was measured")

    failure = under(helper, bench(clocks="locked"), run).failure
    assert (failure.kind, failure.message) == (
        FAILURE_KIND_SETTINGS_REFUSED,
        "the gpu clock is not locked: it was set, but did not stay",
    )


def test_a_mode_that_somebody_changes_meanwhile_is_told(board: TrialBoard, helper: HelperProcess) -> None:
    async def run() -> Outcome:
        (board.root / "var/lib/nvpmodel/status").write_text("pmode:0002 fmode:quiet\n")
        return measured()

    (measurement,) = under(helper, bench(power_mode="25W"), run).measured.measurements
    assert [(flag.kind, flag.evidence) for flag in measurement.flags] == [
        (FLAG_KIND_CLOCK_DRIFT, "meanwhile power mode MAXN_SUPER is in force, not 25W")
    ]


def test_a_helper_that_was_killed_meanwhile_is_told_and_the_board_is_as_before(board: TrialBoard) -> None:
    first = HelperProcess(board.root, board.state)
    started = []

    async def run() -> Outcome:
        first.end()
        started.append(HelperProcess(board.root, board.state))
        return measured()

    (measurement,) = under(first, bench(power_mode="25W"), run).measured.measurements
    started[0].end()
    assert "power mode 15W is in force, not 25W" in measurement.flags[0].evidence
    assert board.differs == {}


def test_a_run_that_fails_or_is_cancelled_leaves_the_board_as_before(board: TrialBoard, helper: HelperProcess) -> None:
    async def fail() -> Outcome:
        raise Infrastructure("no disk")

    with pytest.raises(Infrastructure, match="no disk"):
        under(helper, bench(power_mode="25W", clocks="locked"), fail)
    assert board.differs == {}

    async def cancelled() -> None:
        begun = asyncio.Event()

        async def run() -> Outcome:
            begun.set()
            await asyncio.sleep(600)
            return measured()

        task = asyncio.create_task(BoardSettings(Facts(), helper=helper.socket).under(bench(power_mode="25W"), run))
        await begun.wait()
        assert board.differs
        task.cancel()
        await asyncio.wait({task})

    asyncio.run(cancelled())
    assert board.differs == {}


def test_without_a_helper_nothing_is_measured_that_wants_one(tmp_path: Path) -> None:
    async def run() -> Outcome:
        return measured()

    settings = BoardSettings(Facts(), helper=tmp_path / "none.sock", root=tmp_path)
    with pytest.raises(Infrastructure, match="does not answer"):
        asyncio.run(settings.under(bench(power_mode="25W"), run))
    (plain,) = asyncio.run(settings.under(bench(), run)).measured.measurements
    assert dict(plain.circumstances) == {}


def test_what_is_in_force_is_told_though_nobody_asked(board: TrialBoard, tmp_path: Path) -> None:
    async def run() -> Outcome:
        return measured()

    settings = BoardSettings(Facts(), helper=tmp_path / "none.sock", root=board.root)
    (plain,) = asyncio.run(settings.under(bench(), run)).measured.measurements
    assert plain.circumstances["power_mode"] == "15W"


def test_a_build_and_a_simulated_board_ask_nobody(tmp_path: Path) -> None:
    async def run() -> Outcome:
        return measured()

    settings = BoardSettings(Facts(simulated=True), helper=tmp_path / "none.sock")
    (made_up,) = asyncio.run(settings.under(bench(power_mode="25W"), run)).measured.measurements
    assert made_up.circumstances["power_mode"] == "25W"
    real = BoardSettings(Facts(), helper=tmp_path / "none.sock")
    assert asyncio.run(real.under(TaskSpec(build=BuildTask()), run)).HasField("measured")


def test_the_facts_say_what_can_be_set(helper: HelperProcess) -> None:
    facts = Facts()
    settings = BoardSettings(facts, helper=helper.socket)
    settings.add_facts(facts)
    settings.add_facts(facts)
    assert list(facts.settable_power_modes) == ["15W", "25W", "MAXN_SUPER", "10W"]
    assert list(facts.lockable_clocks) == ["cpu", "gpu", "emc"]
    assert facts.power_mode == "15W"


def test_an_agent_that_starts_has_the_board_put_back(board: TrialBoard, caplog: pytest.LogCaptureFixture) -> None:
    first = HelperProcess(board.root, board.state)
    ask("set-mode", path=first.socket, mode=1)
    first.end()
    assert contents(board.root) != board.before
    second = HelperProcess(board.root, board.state)
    restore_board(second.socket)
    second.end()
    assert board.differs == {}
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_board_that_could_not_be_put_back_is_not_measured_on_until_it_is(
    board: TrialBoard, helper: HelperProcess
) -> None:
    path = board.root / GPU_RANGE / "min_freq"

    async def spoil() -> Outcome:
        path.unlink()
        path.mkdir()
        return measured()

    async def run() -> Outcome:
        return measured()

    settings = BoardSettings(Facts(), helper=helper.socket)
    asyncio.run(settings.under(bench(clocks="locked"), spoil))
    with pytest.raises(Infrastructure, match=r"not as it was before an earlier task: .*min_freq"):
        asyncio.run(settings.under(bench(), run))
    path.rmdir()
    path.write_text("0\n")
    assert asyncio.run(settings.under(bench(), run)).HasField("measured")
    assert board.differs == {}


def test_another_agent_that_starts_leaves_a_measurement_alone(
    board: TrialBoard, helper: HelperProcess, caplog: pytest.LogCaptureFixture
) -> None:
    ask("set-mode", path=helper.socket, mode=1)
    code = "import sys; from pathlib import Path; from agent.daemon.board_settings import restore_board; " + (
        "sys.exit(bool(restore_board(Path(sys.argv[1]))))"
    )
    subprocess.run([sys.executable, "-c", code, str(helper.socket)], check=True, capture_output=True)
    assert ask("read-mode", path=helper.socket)["mode"] == "25W"
    assert restore_board(helper.socket) == ""
    assert board.differs == {}
