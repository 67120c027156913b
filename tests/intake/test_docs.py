"""What README and docs show is what the code takes: YAML is planned on boards, shell is run; see tests/docs, too."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest

from controller.core.plan import plan
from controller.intake.jobfile.spec import load_text
from controller.intake.prepare import prepare
from controller.model.task import Device
from jetfleet.options import OPTIONS
from jetfleet.releases import RELEASES
from testing.devices import device, orin
from tests.cli.conftest import stop_all
from tests.docs.blocks import IN_ORDER, ROOT, Block, blocks
from tests.intake import option_tables, release_table, step_tables
from tests.intake.conftest import Workplace
from tests.intake.graphs import NODE, floats, model_of, value
from tests.intake.images import save_frames

HEAD = "apiVersion: jetfleet/v1\nname: example\nmodel: {onnx: m.onnx}\n"
_SHELL_S = 100
BLOCKS = list(blocks())
YAML = [block for block in BLOCKS if block.kind == "yaml"]
SHELL = [block for block in BLOCKS if block.kind == "sh" and block.document not in IN_ORDER]

_MODES = {
    "power_mode": "MAXN_SUPER",
    "power_modes": ("MAXN_SUPER", "15W", "25W"),
    "settable_power_modes": ("MAXN_SUPER", "15W", "25W"),
    "lockable_clocks": ("cpu", "gpu"),
}
# The boards that the documents speak of, with runtimes that a simulated one has not.
BOARDS: list[Device] = [
    device("workstation", pillow="12.0"),
    orin("nx", **_MODES),
    orin("agx", module="p3701-0005", sku="agx-orin-64gb", sm_count=16, l4t="39.2.2", runtime__tensorrt="11.4.1"),
    device("rack", label__rack="a", cpu_count=8),
]


@pytest.mark.parametrize("block", YAML, ids=str)
def test_yaml_is_parsed_and_planned(place: Workplace, block: Block) -> None:
    text = block.text if "apiVersion" in block.text else HEAD + block.text
    job = load_text(text, place.folder / "job.yaml").job
    text = re.sub(r"torch: \S+", "onnx: model.onnx", text)
    shape = next((item.shape for item in job.model.inputs.values()), None) or ["batch", 3, 224, 224]
    channels, *sides = [int(str(dim).rpartition("=")[2]) for dim in shape[1:]]
    is_open = "=" in str(shape)
    place.model(pooled(channels, is_open=is_open), name=job.model.onnx or "model.onnx")
    rows = np.random.default_rng(0).uniform(size=(16, channels, *sides)).astype(np.float32)
    for name in (job.model.data.calibration, job.model.data.evaluation):
        if name:
            (place.folder / name).parent.mkdir(parents=True, exist_ok=True)
            np.savez(place.folder / name, image=rows, labels=np.zeros(len(rows), np.int64))
    if job.pipeline is not None:
        save_frames(place.folder / str(job.pipeline.input))
    path = place.write("job.yaml", text)
    made = plan(prepare(path, state_dir=place.state, progress=place.progress.append).spec, BOARDS, [])
    assert made.benches


def pooled(channels: int, *, is_open: bool = False) -> onnx.ModelProto:
    """Images of any size to ten scores."""
    nodes = [
        NODE("Conv", ["image", "w1"], ["c"]),
        NODE("GlobalAveragePool", ["c"], ["p"]),
        NODE("Flatten", ["p"], ["f"]),
        NODE("Gemm", ["f", "w2"], ["y"], transB=1),
    ]
    sides = ("H", "W") if is_open else (8, 8) if channels == 1 else (224, 224)
    image = value("image", ["N", channels, *sides])
    return model_of(nodes, [image], [value("y", ["N", 10])], w1=floats(4, channels, 3, 3), w2=floats(10, 4))


def test_there_are_blocks() -> None:
    assert len(YAML) >= 7
    assert sum(block.is_run for block in SHELL) >= 2


@pytest.mark.parametrize("block", [block for block in SHELL if block.is_run], ids=str)
def test_shell_runs(tmp_path: Path, block: Block) -> None:
    """In a copy of the examples, with a state folder, a home and a port of its own."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("trained", "fetched"))
    shutil.copy(ROOT / "examples" / "onnx" / "model.onnx", tmp_path / "model.onnx")
    (tmp_path / "job.yaml").write_text(block.job, encoding="utf-8")
    script = block.text.replace("serve &", "serve --listen 127.0.0.1:0 --agents 127.0.0.1:0 &")
    if "controller backup" in script:
        script = f"controller jobs\n{script}"  # there is something to keep
    env = {name: value for name, value in os.environ.items() if not name.startswith("JETFLEET_")}
    env |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}", "HOME": str(tmp_path)}
    env["JETFLEET_STATE"] = str(tmp_path / "state")
    log = tmp_path / "log"
    with log.open("w") as out:  # a file: what runs on in the background would hold a pipe
        shell = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env=env,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            assert shell.wait(timeout=_SHELL_S) == 0, log.read_text()
        finally:
            with suppress(ProcessLookupError):  # nothing was left in the background
                os.killpg(shell.pid, signal.SIGKILL)
            stop_all(tmp_path)


def test_the_tables_are_those_of_the_code() -> None:
    jobs, devices = (ROOT / "docs" / name for name in ("jobs.md", "devices.md"))
    text = jobs.read_text(encoding="utf-8")
    assert option_tables.written(text) == text, "python -m tests.intake.option_tables"
    assert step_tables.written(text) == text, "python -m tests.intake.step_tables"
    assert [option.name for option in OPTIONS if f"| `{option.name}` |" not in text] == []
    text = devices.read_text(encoding="utf-8")
    assert release_table.written(text) == text, "python -m tests.intake.release_table"
    assert [l4t for l4t in RELEASES if f"| {l4t} |" not in text] == []
