"""Addresses that are none, wherever one is given: a line that says what is expected, and exit code 2."""

import subprocess
import sys
from pathlib import Path

import pytest

from jetfleet.address import check_address
from jetfleet.errors import BadInput

BAD = ["[::1]:99999", "127.0.0.1", ":50051", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:-1", "127.0.0.1:5x", "::1:50051"]
BAD += ["http://127.0.0.1:50051", "[::1]", "[zz]:1", "[:::]:1", "unix:", "unix:" + "x" * 300, "a b:1", "a\nb:1"]
BAD += ["\x1b[31m:1", "127.0.0.1:\u0665\u0660", "127.0.0.1:50051:50051", "127.0.0.1:" + "9" * 30, "unix:a\x00b", " "]
GOOD = ["127.0.0.1:50051", "[::1]:1", "localhost:65535", "unix:/run/x.sock", "unix:///run/x.sock", "unix:x", "orin-1:1"]


@pytest.mark.parametrize("address", BAD)
def test_refused(address: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_address(address)
    assert caught.value.expected == "127.0.0.1:PORT, [::1]:PORT or unix:PATH"
    assert len(str(caught.value).splitlines()) == 2
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("address", GOOD)
def test_taken(address: str) -> None:
    check_address(address)


@pytest.mark.parametrize("name", ["a\nb", "a\x7fb", "a\u2028b", "a\udcffb"])
@pytest.mark.parametrize("words", ["controller.cli.main jobs", "controller.cli.main serve", "agent.cli run"])
def test_a_state_folder_that_nothing_could_name(words: str, name: str, tmp_path: Path) -> None:
    line = [sys.executable, "-m", *words.split(), "--state", str(tmp_path / name)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "is not a valid state folder" in done.stderr.splitlines()[0]
    assert list(tmp_path.iterdir()) == [], "nothing was started"


@pytest.mark.parametrize("words", [
    "controller.cli.main jobs --address",
    "controller.cli.main serve --listen",
    "agent.cli run --address",
    "agent.cli doctor --address",
])  # fmt: skip
def test_every_command_says_so(words: str, tmp_path: Path) -> None:
    line = [sys.executable, "-m", *words.split(), "[::1]:99999", "--state", str(tmp_path / "state")]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "'[::1]:99999' is not a valid address\n  expected: 127.0.0.1:PORT" in done.stderr
    assert not (tmp_path / "state").exists()
