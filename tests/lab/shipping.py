"""A bundle as its owner makes it: a real job through a controller and an agent, its winner packaged and signed."""

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from testing.processes import wait_for
from tests.bundle.altered import change
from tests.house.source import ROOT
from tests.lab.engines import FOLDER
from tests.lab.network import install_missing, run

MODEL = ROOT / "examples/onnx/model.onnx"
NAME = "classifier"
PYTHON = "3.11"
UNIT = f"jetfleet-bundle-{NAME}"
# Above everything else that runs: the machine of a lab is shared, and what was interfered with is neither packaged nor
# accepted. Only what is measured runs so.
UNDISTURBED = ("chrt", "--rr", "5")
_TRIES = 10
_JOB = """
apiVersion: jetfleet/v1
name: shipped
model: {{onnx: {model}}}
measure: {{runs: 2, warmup_s: 0, seconds: 0.05, max_seconds: 0.1}}
"""
INPUT = np.random.default_rng(3).normal(size=(1, 3, 32, 32)).astype(np.float32)
QUESTION = json.dumps({"inputs": {"image": INPUT.tolist()}})
SEEN: list[tuple[str, str]] = []


def note(what: str, seen: object) -> None:
    SEEN.append((what, str(seen)))


def write_record() -> None:
    engines = f"{run('podman', '--version').strip()}, {run('/usr/bin/docker', '--version').strip()}"
    lines = [
        "# A bundle of the ONNX Runtime, in containers and natively",
        "",
        f"Written by `make lab-bundle`, {time.strftime('%Y-%m-%d')}, revision",
        f"{run('git', '-C', str(ROOT), 'rev-parse', '--short', 'HEAD').strip()}: {engines}, {os.cpu_count()} cores,",
        f"kernel {platform.release()}, a load of {os.getloadavg()[1]:.0f}; what was measured ran at a real-time",
        "priority. The base is a lean Debian 12, made here; the booted machine is Debian 12 with Python and nothing of",
        "jetfleet. Not a Jetson: no GPU, no TensorRT, no image of NVIDIA's.",
        "",
        "| what | seen |",
        "|---|---|",
        *(f"| {what} | {seen} |" for what, seen in SEEN),
    ]
    (ROOT / "docs/measured/lab-bundle.md").write_text("\n".join(lines) + "\n")


@dataclass(frozen=True)
class Answer:
    """Of a command that may be refused."""

    code: int
    out: str
    err: str


def answer_of(*words: str | Path, env: dict[str, str] | None = None) -> Answer:
    done = subprocess.run(
        list(map(str, words)),
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def asked(prefix: tuple[str, ...], path: str, question: str = "") -> str:
    """What the server said to curl, run where it is; empty where it said nothing good."""
    more = ["--data", "@-", "--header", "Content-Type: application/json"] if question else []
    words = ["curl", "--silent", "--fail", *more, f"http://127.0.0.1:8080{path}"]
    return run(*prefix, *words, given=question, check=False)


def wait_ready(prefix: tuple[str, ...]) -> None:
    wait_for(lambda: asked(prefix, "/ready") == '{"ready": true}', what="ready", timeout_s=120)


def difference_of(answer: str) -> float:
    """The largest difference to what the model itself answers to QUESTION."""
    outputs = json.loads(answer)["outputs"]
    session = onnxruntime.InferenceSession(MODEL.read_bytes(), providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_outputs()]
    wanted = zip(names, session.run(names, {"image": INPUT}), strict=True)
    return max(float(np.abs(np.asarray(outputs[name]) - value).max()) for name, value in wanted)


def undisturb(pid: str) -> None:
    """A process of a container that has begun, and whatever it starts from now on."""
    of_all = Path("/sys/fs/cgroup/cpu/cgroup.procs")
    if of_all.exists():
        of_all.write_text(pid)  # the group that a container is made with has no share of real time
    run(*UNDISTURBED[:2], "--all-tasks", "--pid", UNDISTURBED[2], pid)


class Shipment:
    """`bundle`, and `ship.key` with `ship.key.pub`, which signed it; `seconds` is what packaging took."""

    def __init__(self) -> None:
        self.folder = FOLDER / "shipment"
        self.key = self.folder / "ship.key.pub"
        self.bundle = self.folder / "bundle"
        self.seconds, self.tries = 0.0, 0

    def make(self) -> None:
        """Raises AssertionError where no measurement was VALID."""
        install_missing({"curl": "curl", "chrt": "util-linux"})
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        job = self.folder / "job.yaml"
        job.write_text(_JOB.format(model=MODEL))
        for self.tries in range(1, _TRIES + 1):
            run(*UNDISTURBED, *self._controller("submit", str(job), "--wait", "--local"))
            if self._controls("recommend", str(self.tries), "--require-winner").code == 0:
                break
        else:
            raise AssertionError(f"none of {_TRIES} measurements was VALID")
        run(*self._controller("package", "--new-key", str(self.folder / "ship.key")))
        start = time.monotonic()
        words = ["package", str(self.tries), "-o", str(self.bundle), "--sign", str(self.folder / "ship.key")]
        run(*self._controller(*words, "--name", NAME, "--wheelhouse", "--python", PYTHON, "--budget", "p50_ms=5"))
        self.seconds = time.monotonic() - start

    @contextmanager
    def altered(self, name: str, **manifest: object) -> Iterator[Path]:
        """A copy of what is deployed, its manifest changed."""
        copy = self.folder / name
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.bundle, copy, ignore=shutil.ignore_patterns("image", "deploy"))
        change(copy, **manifest)
        yield copy
        shutil.rmtree(copy)

    def _controller(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "controller.cli.main", "--state", str(self.folder / "state"), *words]

    def _controls(self, *words: str) -> Answer:
        return answer_of(*self._controller(*words))
