"""The model child: bounded, gone with its parent, and no reason for the CLI to import anything heavy."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jetfleet.errors import TimeLimit
from tests.intake.conftest import Workplace, linear

ONNX = "model:\n  onnx: m.onnx\n"
TORCH = "model:\n  torch: mynet:load\n  inputs: {x: {shape: [2]}}\n"
CALL = "import sys, pathlib; from controller.intake.prepare import prepare; here = pathlib.Path(sys.argv[1]); "
RUN = CALL + "prepare(here / 'job.yaml', state_dir=here / 'state', progress=lambda line: None); "


def test_nothing_heavy_is_imported_outside_the_child(place: Workplace) -> None:
    place.model(linear())
    place.job(ONNX)
    check = "sys.exit(bool({'torch', 'onnx', 'onnxruntime', 'numpy'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", RUN + check, str(place.folder)], check=True, timeout=60)


def test_a_child_that_takes_too_long_is_killed(place: Workplace) -> None:
    place.model(linear())
    with pytest.raises(TimeLimit, match=r"not ready after 0\.05 s"):
        place.prepare(ONNX, timeout_s=0.05)
    assert sorted(path.name for path in (place.state / "cache").iterdir()) == []


def test_a_child_that_dies_is_told_with_how(place: Workplace) -> None:
    place.write("mynet.py", "import os\ndef load():\n    os.abort()\n")
    error = place.refused(TORCH)
    assert error.message.startswith("the process that looked at the model was killed by SIGABRT")
    assert "GiB of memory" in error.expected


def test_memory_is_bounded(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    place.model(linear())
    pages = (512 << 20) // os.sysconf("SC_PAGE_SIZE")
    sysconf = os.sysconf
    monkeypatch.setattr(os, "sysconf", lambda name: pages if name == "SC_PHYS_PAGES" else sysconf(name))
    error = place.refused(ONNX + "  inputs: {x: {shape: [100000000, 4]}}\n")
    assert "0.4 GiB" in str(error)


def test_secrets_of_ours_do_not_reach_the_users_code(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JETFLEET_TOKEN", "secret")
    monkeypatch.setenv("THEIRS", "kept")
    place.write("mynet.py", "import os\nraise ValueError(sorted({'JETFLEET_TOKEN', 'THEIRS'} & set(os.environ)))\n")
    assert place.refused(TORCH).message.endswith("ValueError: ['THEIRS']")


def test_the_child_dies_with_its_parent(place: Workplace) -> None:
    lines = [
        "import os, pathlib, time",
        "pathlib.Path(__file__).with_name('pid').write_text(str(os.getpid()))",
        "time.sleep(600)",
    ]
    place.write("mynet.py", "\n".join(lines))
    place.job(TORCH)
    parent = subprocess.Popen([sys.executable, "-c", RUN, str(place.folder)])
    pid_file = place.folder / "pid"
    pid = int(_wait_for(pid_file))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 60
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(pid)


def _wait_for(path: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.05)
    raise TimeoutError(path)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
