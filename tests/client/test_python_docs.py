"""docs/python.md runs as it stands: one script, in a process of its own, on an embedded controller."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller import Client
from tests.cli.conftest import stop_all

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    stop_all(tmp_path / "state")


@pytest.mark.timeout(400)
def test_the_examples_run(state: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")  # not on the controller's oldest Python
    script = tmp_path / "docs.py"  # classes of it are classes of __main__, as in a notebook
    script.write_text("\n".join(BLOCKS), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "JETFLEET_ADDRESS"}
    environment |= {"JETFLEET_STATE": str(state), "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'proto'}"}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=380
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert len(BLOCKS) >= 6
    assert "no devices" in said  # before the first job, which starts an agent
    assert "JobState.SUCCEEDED 2 of 2" in said
    assert re.search(r"^job +variant +device", said, flags=re.MULTILINE)
    assert "onnxruntime-fp16-b1-cpu local-1" in said
    assert "submit(precision[1]): 'fp61' is not allowed here" in said
    assert "exported, and its outputs agree with PyTorch's" in said
    assert "onnxruntime-fp32-b8-cpu" in said
    with Client(f"unix:{state}/controller.sock") as client:
        jobs = client.jobs()
        assert [job.name for job in jobs] == ["Tiny", "two-precisions", "smallest"]


def test_every_argument_is_told() -> None:
    from inspect import signature

    names = set(signature(Client.submit).parameters) - {"self", "sections", "local", "on_progress"}
    assert [name for name in sorted(names) if f"`{name}`" not in TEXT and f"`{name}=" not in TEXT] == []
