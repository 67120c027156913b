"""What a container may say to systemd, by way of the process that started it."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.install.relay import relay, sayable

# Says what an agent says, with the product's own code, and what it may not say.
SPEAKER = """
import asyncio, os, socket
from jetfleet.service_manager import ServiceManager
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as forger:
    forger.sendto(b"MAINPID=1\\nEXTEND_TIMEOUT_USEC=9999999\\nBARRIER=1", os.environ["NOTIFY_SOCKET"])
async def speak():
    manager = ServiceManager()
    manager.ready("registered at ws:50052 as orin-1")
    async with manager.alive():
        await asyncio.sleep(0)
    manager.stopping()
asyncio.run(speak())
raise SystemExit(7)
"""


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.bind(str(tmp_path / "systemd"))
    ear.settimeout(20)
    yield ear
    ear.close()


def test_signs_of_life_are_repeated_and_nothing_else(tmp_path: Path, systemd: socket.socket) -> None:
    path = tmp_path / "notify"
    inside = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "30000000"}
    words = ["env", *(f"{name}={value}" for name, value in inside.items()), sys.executable, "-c", SPEAKER]
    environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "systemd")}
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.extend(systemd.recv(4096).decode() for _ in range(4)))
    reader.start()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        assert relay(words, path=path, gid=os.getgid(), environment=environment) == 7
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    reader.join(20)
    assert heard == ["READY=1", "STATUS=registered at ws:50052 as orin-1", "WATCHDOG=1", "STOPPING=1"]
    assert "NOTIFY_SOCKET" not in environment  # podman would speak for itself
    assert path.stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize("message", [b"MAINPID=1", b"ERRNO=2", b"READY=1x", b"\xff\xfe", b"STATUS=" + b"x" * 400, b""])
def test_what_decides_anything_else_is_not_said(message: bytes) -> None:
    assert sayable(message) == ""


def test_a_client_that_is_told_to_end_ends(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from agent.install.relay import relay\n"
        "sys.exit(128 - relay(['sleep', '60'], path=Path(sys.argv[1]), gid=os.getgid(), environment=os.environ))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "notify")])
    try:
        while not (tmp_path / "notify").exists() or not _children(process.pid):
            assert process.poll() is None
        process.terminate()
        assert process.wait(20) == 128 + 15
    finally:
        process.kill()


def _children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()
