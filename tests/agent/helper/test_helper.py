"""The helper as a process behind a socket that was handed to it, as systemd does; who asks is told by the kernel."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent.helper.board import Board
from agent.helper.client import ask
from agent.helper.gpus import NvmlClocks
from agent.helper.holder import Holder
from agent.helper.note import NoteFile
from agent.helper.protocol import MOST_BYTES, BadFrame, content_bytes, frame, parse_answer, parse_request
from agent.helper.server import handle, receive, serve
from agent.helper.settings import HeldSettings
from agent.helper.verbs import Verbs
from jetfleet.errors import Infrastructure
from jetfleet.version import VERSION

START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-m", "agent.helper", "--user", sys.argv[2]])
"""


@pytest.fixture
def helper(tmp_path):
    """Its socket's path."""
    path = tmp_path / "helper.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(8)
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    command = [sys.executable, "-c", START, str(listener.fileno()), user]
    process = subprocess.Popen(command, pass_fds=(listener.fileno(),), stderr=subprocess.DEVNULL)
    yield path
    process.kill()
    process.wait()
    listener.close()


def sent(path: Path, raw: bytes) -> dict:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        return parse_answer(receive(connection))


def test_it_answers_the_verbs_of_its_list_and_no_other(helper):
    assert ask("ping", path=helper) == {"ok": True}
    assert ask("version", path=helper) == {"ok": True, "version": VERSION}
    refused = ask("reboot; rm -rf /", path=helper)
    assert refused["ok"] is False
    assert "known: lock-clocks, ping, read-mode, restore, set-mode, version" in refused["error"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0\0",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff" + b"x" * 64,
        b"\0\0\0\x09" + b'{"verb"',
        b"\0\0\0\x04" + b"ping",
        b"\0\0\0\x06" + b'["pi"]',
        frame({"verb": 1}),
        frame({"verb": "ping", "more": 1}),
        frame({"verb": "set-mode", "mode": "1; reboot"}),
        frame({"verb": "set-mode", "mode": "/etc/shadow"}),
        frame({"verb": "set-mode", "mode": True}),
        frame({"verb": "set-mode", "mode": None}),
        frame({"verb": "set-mode", "mode": -1}),
        frame({"verb": "set-mode", "mode": 1 << 70}),
        frame({"verb": "set-mode", "mode": 1.0}),
        frame({"verb": "set-mode", "mode": 1, "path": "/etc/passwd"}),
        frame({"verb": "set-mode"}),
        frame({"verb": "lock-clocks", "mode": 1}),
        frame({"verb": "restore", "mode": 0}),
        frame({}),
        b"\0\0\x0f\xff" + b"[" * 4095,
        b"\0\0\0\x0d" + b'{"verb":"\xff\xff"}',
    ],
)
def test_what_is_not_a_request_is_refused_and_the_next_one_answered(helper, raw):
    assert sent(helper, raw)["ok"] is False
    assert ask("ping", path=helper)["ok"] is True


@pytest.fixture
def verbs(tmp_path):
    holder = Holder()
    yield Verbs(HeldSettings(Board(tmp_path), NoteFile(tmp_path / "notes"), NvmlClocks(tmp_path)), holder)
    holder.leave()


def test_who_is_not_on_the_list_is_told_nothing_else(verbs):
    here, there = socket.socketpair(socket.AF_UNIX)
    with here, there:
        there.sendall(frame({"verb": "version"}))
        handle(here, verbs, allowed=frozenset({os.getuid() + 1}))
        assert b"may not ask" in there.recv(MOST_BYTES)


def test_a_refusal_comes_after_the_request_was_read(verbs):
    """Closed with bytes unread, a socket takes the answer with it."""
    here, there = socket.socketpair(socket.AF_UNIX)
    with there:
        request = frame({"verb": "version"})
        there.sendall(request[:3])
        asked = threading.Thread(target=handle, args=(here, verbs), kwargs={"allowed": frozenset()})
        asked.start()
        there.settimeout(0.2)
        with pytest.raises(TimeoutError):
            there.recv(MOST_BYTES)
        there.settimeout(30)
        there.sendall(request[3:])
        assert b"may not ask" in there.recv(MOST_BYTES)
        asked.join()
        here.close()


def serve_until_shut(listener: socket.socket, verbs: Verbs) -> None:
    with contextlib.suppress(OSError):
        serve(listener, verbs, Holder(), allowed={os.getuid()}, connection_s=0.2)


def test_one_that_hangs_is_left_and_the_next_one_answered(tmp_path, verbs):
    path = tmp_path / "helper.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as hanging:
        listener.bind(str(path))
        listener.listen(8)
        thread = threading.Thread(target=serve_until_shut, args=(listener, verbs))
        thread.start()
        hanging.connect(str(path))
        assert ask("ping", path=path) == {"ok": True}
        listener.shutdown(socket.SHUT_RDWR)  # so that the thread ends with its listener, and not in a later test
        thread.join()


def test_nobody_there_is_said_with_the_way_out(tmp_path):
    with pytest.raises(Infrastructure, match="does not answer") as found:
        ask("ping", path=tmp_path / "none.sock")
    assert "jetfleet-helper.socket" in found.value.hint


def test_it_is_started_by_its_socket_only():
    done = subprocess.run(
        [sys.executable, "-m", "agent.helper", "--user", "root"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2


def test_a_frame_has_a_bound_in_both_directions():
    with pytest.raises(BadFrame):
        frame({"text": "x" * MOST_BYTES})
    with pytest.raises(BadFrame):
        content_bytes((MOST_BYTES + 1).to_bytes(4, "big"))
    assert parse_request(frame({"verb": "x"})[4:]).verb == "x"


def test_it_loads_nothing_but_pythons_own_and_ours():
    """As root it must not depend on what an agent installs."""
    code = (
        "import sys; import agent.helper.server, agent.helper.verbs, agent.helper.__main__; "
        "print([name for name in ('grpc', 'google', 'numpy', 'cryptography') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
