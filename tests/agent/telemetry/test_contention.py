"""Waiting for a CPU: read from constructed counters, and felt for real."""

import os
import subprocess
import sys
import time
from pathlib import Path

from agent.telemetry.contention import LIMIT, Contention, Waiting, interference
from jetfleet.v1.task_pb2 import FLAG_KIND_INTERFERED


def write(tasks: Path, thread: str, waited_ns: int, ran_ns: int = 1000) -> None:
    (tasks / thread).mkdir(parents=True, exist_ok=True)
    (tasks / thread / "schedstat").write_text(f"{ran_ns} {waited_ns} 7\n")


def test_the_thread_that_waited_most_counts(tmp_path: Path) -> None:
    write(tmp_path, "1", 0)
    write(tmp_path, "2", 5)
    watch = Contention(tmp_path, cpus=10**12)
    write(tmp_path, "1", 10**15)
    write(tmp_path, "2", 6)
    write(tmp_path, "3", 10**18)  # began later: its counters say nothing about the time before
    flags = interference(watch.waiting())
    assert [flag.kind for flag in flags] == [FLAG_KIND_INTERFERED]
    assert "waited for a CPU" in flags[0].evidence


def test_little_waiting_is_no_flag(tmp_path: Path) -> None:
    write(tmp_path, "1", 100)
    watch = Contention(tmp_path)
    write(tmp_path, "1", 101)
    time.sleep(0.01)
    waiting = watch.waiting()
    assert waiting is not None
    assert 0 < waiting.share < LIMIT
    assert interference(waiting) == []


def test_more_threads_than_cpus_wait_for_one_another_and_nobody_else_is_blamed(tmp_path: Path) -> None:
    write(tmp_path, "1", 0, 0)
    write(tmp_path, "2", 0, 0)
    watch = Contention(tmp_path, cpus=1)
    for thread in ("1", "2"):
        write(tmp_path, thread, 10**15, 10**15)
    waiting = watch.waiting()
    assert waiting is not None
    assert waiting.share > LIMIT
    assert interference(waiting) == []
    assert "also for one another" in str(waiting)
    enough = Waiting(waiting.share, waiting.runnable, cpus=10**18)
    assert [flag.kind for flag in interference(enough)] == [FLAG_KIND_INTERFERED]
    assert "one another" not in str(enough)


def test_a_kernel_that_does_not_count_is_unknown(tmp_path: Path) -> None:
    watch = Contention(tmp_path)
    assert watch.waiting() is None
    assert interference(watch.waiting()) == []
    write(tmp_path, "1", 3)
    (tmp_path / "1" / "schedstat").write_text("garbage")
    assert Contention(tmp_path).waiting() is None


def test_a_competitor_on_the_same_cpu_is_felt() -> None:
    """Two spinning processes pinned to one CPU: each waits about half of the time."""
    cpu = min(os.sched_getaffinity(0))
    spin = f"import os; os.sched_setaffinity(0, [{cpu}]); print('spinning', flush=True)\nwhile True: pass"
    watch = (
        f"import os, time; os.sched_setaffinity(0, [{cpu}])\n"
        "from agent.telemetry.contention import Contention, interference\n"
        "watch = Contention(); end = time.monotonic() + 1.5\n"
        "while time.monotonic() < end: pass\n"
        "print(*[flag.evidence for flag in interference(watch.waiting())])"
    )
    rival = subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE, text=True)
    try:
        assert rival.stdout is not None
        assert rival.stdout.readline() == "spinning\n"
        found = subprocess.run([sys.executable, "-c", watch], capture_output=True, text=True, timeout=60, check=True)
    finally:
        rival.kill()
        rival.communicate()
    assert "waited for a CPU" in found.stdout
