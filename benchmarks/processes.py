"""A controller and an agent under measurement, and the disk that they work on."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from testing.processes import AgentProcess, ControllerProcess, wait_online

CONTROLLER = str(Path(sys.executable).with_name("controller"))


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder on the disk where people's state folders are: what is fsynced there is fsynced."""
    with tempfile.TemporaryDirectory(prefix="jetfleet-bench-", dir=os.environ.get("JETFLEET_BENCH_DIR")) as folder:
        yield Path(folder)


@contextlib.contextmanager
def controller(folder: Path) -> Iterator[ControllerProcess]:
    """`controller serve` as people run it."""
    process = ControllerProcess(folder / "state", lease_s=None)
    try:
        yield process.ready()
    finally:
        process.stop()


@contextlib.contextmanager
def agent(controller: ControllerProcess, folder: Path) -> Iterator[AgentProcess]:
    """A real agent of this machine, registered."""
    process = AgentProcess(folder / "agent", controller.address, name="bench")
    try:
        process.start()
        with controller.client() as client:
            wait_online(client, "bench")
        yield process
    finally:
        process.stop()
