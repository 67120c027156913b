"""A process that stood still knows it: stopped for real by signals, and on clocks of the test's own."""

import json
import signal
import subprocess
import sys
import time

import pytest

from agent.telemetry.pauses import LATE_S, PERIOD_S, PauseWatch, ThreadAccount

_WATCHED = """
import json, sys, time
from agent.telemetry.pauses import PauseWatch
watch = PauseWatch(pulse=sys.argv[1] == "pulse")
watch.start()
print("watching", flush=True)
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    sum(range(1000))
print(json.dumps(watch.stop()), flush=True)
"""


def watched(pulse: str, *, stopped_s: float) -> list[str]:
    with subprocess.Popen([sys.executable, "-c", _WATCHED, pulse, "2.5"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "watching\n"
        if stopped_s:
            child.send_signal(signal.SIGSTOP)
            time.sleep(stopped_s)
            child.send_signal(signal.SIGCONT)
        found: list[str] = json.loads(child.stdout.readline())
    return found


def test_a_short_stop_is_known_by_its_signal() -> None:
    assert watched("silent", stopped_s=0.05) == ["stopped and continued by a signal"]


def test_a_long_stop_is_also_known_by_the_thread_that_overslept() -> None:
    by_signal, by_pulse = watched("pulse", stopped_s=1.5)
    assert by_signal == "stopped and continued by a signal"
    assert by_pulse.startswith("the process did not run for 1.")


def test_a_process_that_ran_was_not_paused() -> None:
    assert watched("pulse", stopped_s=0) == []


_UNSIGNALLED = """
import json, sys, threading, time
from agent.telemetry.pauses import PauseWatch
def watch_beside_the_main_thread():  # where no handler can be set: nobody is told of a signal
    watch = PauseWatch()
    watch.start()
    print("watching", flush=True)
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        sum(range(int(sys.argv[1])))
    print(json.dumps(watch.stop()), flush=True)
thread = threading.Thread(target=watch_beside_the_main_thread)
thread.start()
thread.join()
"""


def unsignalled(*, lock_held_for: int = 1000, stopped_s: float = 0.0, beside: int = 0) -> list[str]:
    """What is seen without the signal: while so many others want the CPUs, in a loop that keeps Python's lock."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(beside)]
    try:
        command = [sys.executable, "-c", _UNSIGNALLED, str(lock_held_for)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "watching\n"
            if stopped_s:
                time.sleep(0.3)
                child.send_signal(signal.SIGSTOP)
                time.sleep(stopped_s)
                child.send_signal(signal.SIGCONT)
            found: list[str] = json.loads(child.stdout.readline())
        return found
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def test_a_freeze_that_no_signal_tells_of_is_seen_because_nothing_explains_it() -> None:
    (seen,) = unsignalled(stopped_s=0.25)
    assert "waited neither for a CPU nor for itself" in seen


def test_a_crowded_machine_is_not_a_freeze() -> None:
    assert not [item for item in unsignalled(beside=4) if "stood still" in item]


def test_a_loop_that_keeps_pythons_lock_is_not_a_freeze() -> None:
    assert not [item for item in unsignalled(lock_held_for=4_000_000) if "stood still" in item]


@pytest.mark.parametrize(
    ("late_s", "waited_s", "switches", "seen"),
    [(0.2, 0.0, 1, True), (0.2, 0.15, 1, False), (0.2, 0.0, 30, False), (0.09, 0.0, 1, False), (0.4, 0.2, 1, True)],
)
def test_what_explains_that_a_sleeper_is_late(
    clocks: "Clocks", watch: PauseWatch, late_s: float, waited_s: float, switches: int, seen: bool
) -> None:
    watch.beat(ThreadAccount(5.0, 100))
    clocks.boot += PERIOD_S + late_s
    clocks.steady += PERIOD_S + late_s
    watch.beat(ThreadAccount(5.0 + waited_s, 100 + switches))
    assert bool(watch.stop()) is seen


class Clocks:
    def __init__(self) -> None:
        self.boot = self.steady = 100.0


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def watch(clocks: Clocks) -> PauseWatch:
    made = PauseWatch(pulse=False, boot_clock=lambda: clocks.boot, steady_clock=lambda: clocks.steady)
    made.start()
    return made


def test_a_machine_that_slept_is_known_by_its_clocks(clocks: Clocks, watch: PauseWatch) -> None:
    clocks.boot += 3600
    clocks.steady += 1
    assert watch.stop() == ["the machine was asleep for 3599.00 s"]


def test_a_sleeper_is_late_only_when_nothing_ran(clocks: Clocks, watch: PauseWatch) -> None:
    for step in (PERIOD_S, PERIOD_S + 0.9 * LATE_S, PERIOD_S):
        clocks.boot += step
        clocks.steady += step
        watch.beat()
    assert watch.stop() == []
    watch.start()
    clocks.boot += PERIOD_S + 2
    clocks.steady += PERIOD_S + 2
    watch.beat()
    assert watch.stop() == ["the process did not run for 2.00 s"]
