"""Disks that are full, locked, damaged or from the future, and ports that are taken: exit 4, and nothing half-done."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.model.task import JobState
from jetfleet.errors import DiskFull
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job, submit
from testing.processes import AgentProcess, ControllerProcess, Process, wait_online
from tests.faults.evidence import assert_invariants, query


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "controller.cli.main", "serve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        found = serve("--state", str(tmp_path / "s"), "--listen", f"127.0.0.1:{port}")
    assert found.returncode == 4
    assert f"cannot listen on 127.0.0.1:{port}: somebody else does" in found.stderr
    assert not (tmp_path / "s" / "controller.sock").exists()
    assert not (tmp_path / "s" / "controller.address").exists()


def test_a_state_folder_that_is_locked(controller: ControllerProcess) -> None:
    found = serve("--state", str(controller.state_dir), "--listen", "127.0.0.1:0", "--agents", "127.0.0.1:0")
    assert found.returncode == 4
    assert f"another controller (process {controller.pid}) owns" in found.stderr
    with Client(controller.address) as client:
        client.hello()  # the first one noticed nothing


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Eight megabytes of disk."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("cannot mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as sink:
        try:
            while True:
                sink.write(b"\0" * 4096)
        except OSError:
            return filler


def test_a_full_disk_refuses_before_it_accepts(
    small_disk: Path, tmp_path: Path, keep: Callable[[Process], Process]
) -> None:
    controller = ControllerProcess(small_disk / "state")
    keep(controller)
    controller.ready()
    agent = AgentProcess(tmp_path / "agents" / "a", controller.address, name="a", facts=simulated_board())
    keep(agent)
    agent.start()
    with Client(controller.address) as client:
        wait_online(client, "a")
        first = submit(client, simulated_job(tmp_path / "first"))
        assert client.wait(first).state is JobState.SUCCEEDED
        filler = fill(small_disk)
        with pytest.raises(DiskFull, match=r"no space left|no room for") as refused:
            submit(client, simulated_job(tmp_path / "second", name="second"), key="second")
        assert refused.value.exit_code == 4
        assert [job.id for job in client.jobs()] == [first]
        assert client.devices()[0].online  # it keeps listening to its agents
        os.unlink(filler)
        second = submit(client, simulated_job(tmp_path / "second", name="second"), key="second")
        assert client.wait(second).state is JobState.SUCCEEDED
    assert query(controller.state_dir, "PRAGMA integrity_check") == [("ok",)]
    assert_invariants(controller.state_dir)


def test_a_flipped_bit_in_the_agents_cache_is_found_before_use(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    agent = start_agent(facts=simulated_board())
    wait_online(client, "board")
    first = submit(client, simulated_job(tmp_path / "job"))
    assert client.wait(first).state is JobState.SUCCEEDED
    cached = [path for path in (agent.state_dir / "blobs" / "objects").glob("*/*") if path.stat().st_size > 64]
    for path in cached:
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.chmod(0o644)
        path.write_bytes(data)
    again = submit(client, simulated_job(tmp_path / "job"))
    assert client.wait(again).state is JobState.SUCCEEDED
    assert len(list((agent.state_dir / "blobs" / "quarantine").iterdir())) >= 3
    assert_invariants(controller.state_dir)
