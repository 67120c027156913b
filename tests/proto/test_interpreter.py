"""Children start with this Python wherever they start, also where PATH names a relative folder."""

import os
import subprocess
import sys
from pathlib import Path

ROOM = ("agent", "controller", "proto/jetfleet")
ROOT = Path(__file__).parents[2]

STARTED = """
import sys
from pathlib import Path

from controller.api.spawn import DetachedProcess

log = Path(sys.argv[1]) / "log"
child = DetachedProcess("this", [], log=log, cwd=Path(sys.argv[1]))
child._process.wait(60)
print(log.read_text())
"""


def test_a_relative_folder_in_path(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    python = Path(sys.executable)
    env = {**os.environ, "PATH": os.path.relpath(python.parent, tmp_path)}
    done = subprocess.run(
        [python.name, "-c", STARTED, str(elsewhere)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "The Zen of Python" in done.stdout


def test_nothing_else_asks_for_it() -> None:
    files = [path for room in ROOM for path in (ROOT / room).rglob("*.py")]
    asking = [str(path.relative_to(ROOT)) for path in files if "sys.executable" in path.read_text(encoding="utf-8")]
    assert asking == ["proto/jetfleet/interpreter.py"]
