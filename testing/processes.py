"""Real processes for tests: a controller, agents, and jobs small enough to run in a moment. Nothing is mocked.

Only hardware is simulated, by the product's own `simulated` runtime and constructed facts, typed as such.
"""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from controller.api.client import Client
from controller.model.job import (
    Artifact,
    CheckRule,
    JobSpec,
    Limits,
    Measure,
    OutputCheck,
    Precision,
    Quantifier,
    Role,
    Target,
    TensorSpec,
    Variant,
)
from jetfleet.address import socket_address
from jetfleet.blobs import sha256_file
from jetfleet.errors import JetfleetError

T = TypeVar("T")

LIMITS = Limits(build_s=60, bench_s=60)
MEASURE = Measure(warmup_s=0.05, min_s=0.2, max_s=2.0)

_SERVE = """
import logging, sys
from pathlib import Path
from controller.service.options import ServeOptions
from controller.service.server import serve
logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
serve(ServeOptions(Path(sys.argv[1]), listen="127.0.0.1:0", lease_s=float(sys.argv[2]), renew_s=float(sys.argv[3])))
"""


def wait_for(look: Callable[[], T | None], *, what: str, timeout_s: float = 60.0) -> T:
    """Polls until `look` finds something; fails the test with what was waited for."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {timeout_s:.0f} s in vain for {what}")


@dataclass
class Process:
    """A process that is surely gone at the end of the test."""

    arguments: list[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    popen: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as sink:
            self.popen = subprocess.Popen(
                [*self.prefix, sys.executable, *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.env},
            )

    @property
    def pid(self) -> int:
        assert self.popen is not None
        return self.popen.pid

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self, timeout_s: float = 30.0) -> int:
        assert self.popen is not None
        return self.popen.wait(timeout_s)

    def kill(self) -> None:
        if self.popen is not None and self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()

    def children(self) -> list[int]:
        """Pids of the direct children, from /proc."""
        return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _parent(path) == self.pid]

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def _parent(proc: Path) -> int | None:
    try:
        return int((proc / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return None


class ControllerProcess(Process):
    def __init__(self, state_dir: Path, *, lease_s: float = 30.0, renew_s: float = 0.5) -> None:
        super().__init__(["-c", _SERVE, str(state_dir), str(lease_s), str(renew_s)], state_dir / "test-controller.log")
        self.state_dir = state_dir

    @property
    def address(self) -> str:
        return socket_address(self.state_dir)

    @property
    def port(self) -> int:
        return int((self.state_dir / "controller.address").read_text().rpartition(":")[2])

    def ready(self) -> "ControllerProcess":
        self.start()
        wait_for(self._answers, what=f"the controller to answer; {self.log}")
        return self

    def _answers(self) -> bool:
        assert self.popen is not None
        assert self.popen.poll() is None, f"the controller died:\n{self.text()}"
        try:
            with Client(self.address) as client:
                client.hello()
        except JetfleetError:
            return False
        return True


class AgentProcess(Process):
    """An agent of this host, or with `facts` one of a constructed, simulated board."""

    def __init__(
        self,
        state_dir: Path,
        address: str,
        *,
        name: str,
        facts: Mapping[str, object] | None = None,
        prefix: tuple[str, ...] = (),
        extra: tuple[str, ...] = (),
    ) -> None:
        arguments = ["-m", "agent.cli", "run", "--address", address, "--state", str(state_dir), "--name", name]
        if facts is not None:
            path = state_dir.parent / f"{name}.facts.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(facts))
            arguments += ["--facts", str(path)]
        super().__init__([*arguments, *extra], state_dir.parent / f"{name}.log", prefix=prefix)
        self.state_dir = state_dir


def simulated_board(**facts: object) -> dict[str, object]:
    """Facts of a board that exists only in tests, as the JSON form of the Facts message."""
    return {"arch": "aarch64", "simulated": True, "runtimes": {"simulated": "1"}, **facts}


def simulated_job(
    folder: Path,
    *,
    name: str = "simulated",
    options: Mapping[str, str] | None = None,
    batches: tuple[int, ...] = (1,),
    targets: tuple[Target, ...] = (Target(Quantifier.EVERY),),
    limits: Limits = LIMITS,
    measure: Measure = MEASURE,
    priority: int = 0,
) -> tuple[JobSpec, dict[str, Path]]:
    """A job for the simulated runtime, with real files: a model of nothing, reference inputs and outputs."""
    files: dict[str, Path] = {}

    def put(role: Role, label: str, path: Path) -> Artifact:
        digest = sha256_file(path)
        files[digest] = path
        return Artifact(role, label, digest, path.stat().st_size)

    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model.onnx"
    model.write_bytes(b"a model of nothing " + name.encode())
    graph = put(Role.MODEL_FP32, "model.onnx", model)
    variants = [_simulated_variant(folder, batch, graph, put, options or {}) for batch in batches]
    spec = JobSpec(
        name=name,
        model_name="nothing",
        variants=tuple(variants),
        targets=targets,
        measure=measure,
        limits=limits,
        priority=priority,
        source=f"name: {name}\n",
    )
    return spec, files


def _simulated_variant(
    folder: Path, batch: int, graph: Artifact, put: Callable[[Role, str, Path], Artifact], options: Mapping[str, str]
) -> Variant:
    image, answer = folder / f"image-{batch}.npy", folder / f"answer-{batch}.npy"
    np.save(image, np.linspace(0, 1, batch * 4, dtype=np.float32).reshape(batch, 4))
    np.save(answer, np.linspace(1, 2, batch * 3, dtype=np.float32).reshape(batch, 3))
    return Variant(
        key=f"simulated-fp32-b{batch}-cpu",
        runtime="simulated",
        precision=Precision.FP32,
        batch=batch,
        placement="cpu",
        inputs=(TensorSpec("image", "float32", (batch, 4)),),
        artifacts=(graph, put(Role.REFERENCE_INPUT, "image", image), put(Role.REFERENCE_OUTPUT, "answer", answer)),
        check=OutputCheck(CheckRule.CLOSE),
        options=options,
    )


def submit(client: Client, job: tuple[JobSpec, dict[str, Path]], *, key: str | None = None) -> int:
    spec, files = job
    return client.submit_spec(spec, files, idempotency_key=key or uuid.uuid4().hex).job_id


def wait_online(client: Client, *names: str) -> None:
    wait_for(
        lambda: {device.name for device in client.devices() if device.online} >= set(names),
        what=f"{names} to be online",
    )
