"""CPUs that this process may use: its affinity, cut by the quotas of its control groups, of both versions."""

import os
from pathlib import Path

import pytest

from agent.device import quota
from agent.device.quota import usable_cpus
from testing.boards.tree import Tree

GROUPS = "sys/fs/cgroup/"


@pytest.fixture(autouse=True)
def sixteen_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota.os, "sched_getaffinity", lambda _: set(range(16)))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"proc/self/cgroup": "0::/\n", f"{GROUPS}cpu.max": "400000 100000\n"}, 4),
        ({"proc/self/cgroup": "0::/\n", f"{GROUPS}cpu.max": "max 100000\n"}, 16),
        ({"proc/self/cgroup": "0::/\n", f"{GROUPS}cpu.max": "250000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", f"{GROUPS}cpu.max": "50000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/\n", f"{GROUPS}cpu.max": "9900000 100000\n"}, 16),
        (
            {
                "proc/self/cgroup": "0::/system.slice/agent.service\n",
                f"{GROUPS}system.slice/agent.service/cpu.max": "max 100000\n",
                f"{GROUPS}system.slice/cpu.max": "300000 100000\n",
            },
            3,
        ),
        (
            {
                "proc/self/cgroup": "5:memory:/x\n4:cpu,cpuacct:/docker/0123\n",
                f"{GROUPS}cpu,cpuacct/cpu.cfs_quota_us": "200000\n",
                f"{GROUPS}cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            2,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu:/job\n0::/\n",
                f"{GROUPS}cpu/job/cpu.cfs_quota_us": "-1\n",
                f"{GROUPS}cpu/job/cpu.cfs_period_us": "100000\n",
            },
            16,
        ),
        ({"proc/self/cgroup": "garbage\n", f"{GROUPS}cpu.max": "1 0\n"}, 16),
        ({}, 16),
    ],
)
def test_a_quota_cuts_the_number_of_cpus(tmp_path: Path, files: dict[str, str | bytes | None], expected: int) -> None:
    assert usable_cpus(Tree().put(files).write(tmp_path)) == expected


def test_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert 1 <= usable_cpus(Path("/")) <= len(os.sched_getaffinity(0))
