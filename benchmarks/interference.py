"""How often a second process that loads the device is noticed, and how often one is that is not there.

Measured alone and beside a load in turns: on the CPU BENCH tasks of one thread in the agent's own child, beside a
process that computes; on a GPU a chain of products with all that the child watches, beside a process with the same
chain. A machine that is not quiet raises flags without the load, too, with the evidence of the first in the note.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx

from agent.attempt import AttemptDir
from agent.runtime.onnxruntime.runtime import OnnxRuntime
from benchmarks.figure import Figure, main
from benchmarks.gpu import compiled_chain, part
from benchmarks.harness import CHAIN_SHAPE, chain_model
from benchmarks.processes import scratch
from jetfleet.blobs import sha256_file
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_ENGINE,
    ARTIFACT_ROLE_MODEL_FP32,
    FLAG_KIND_INTERFERED,
    PRECISION_FP32,
    Artifact,
    BenchTask,
    BuildTask,
    MeasureOptions,
    OutputCheck,
    Subject,
    TaskSpec,
    TensorSpec,
)
from testing.processes import BrokenRun

_CPU_LOAD = "print('ready', flush=True)\nwhile True: sum(range(100000))"


def interference(tiny: bool) -> Iterator[Figure]:
    trials, seconds = (1, 0.3) if tiny else (20, 0.7)
    with scratch() as folder:
        engine = _build(folder)

        def measured(number: int) -> str:
            return _measure(folder / f"attempt-{number}", engine, seconds)

        yield from _figures("CPU", trials, measured, [sys.executable, "-c", _CPU_LOAD])
        yield from part("beside another process on the GPU", lambda: _on_gpu(folder, trials, seconds))


def _on_gpu(folder: Path, trials: int, seconds: float) -> Iterator[Figure]:
    """Raises BrokenRun where there is no GPU to measure on."""
    program = [sys.executable, "-m", "benchmarks.gpuload", str(compiled_chain(folder))]

    def measured(number: int) -> str:
        child = subprocess.run([*program, "watch", str(seconds)], check=True, stdout=subprocess.PIPE, text=True)
        return str(json.loads(child.stdout.splitlines()[-1]))

    yield from _figures("GPU", trials, measured, [*program, "load"])


def _figures(what: str, trials: int, measured: Callable[[int], str], load: Sequence[str]) -> Iterator[Figure]:
    """`measured` gives the evidence of INTERFERED, or nothing."""
    alone: list[str] = []
    beside: list[str] = []
    for number in range(trials):
        alone.append(measured(2 * number))
        with _loaded(load):
            beside.append(measured(2 * number + 1))
    for found, how, share in ((beside, "beside a load", 1.0), (alone, "alone", 0.0)):
        seen = [evidence for evidence in found if evidence]
        wanted, note = share * trials, seen[0] if seen else ""
        yield Figure(
            f"INTERFERED of {trials}, {what}, {how}", float(len(seen)), "", at_least=wanted, at_most=wanted, note=note
        )


def _build(folder: Path) -> Path:
    source = folder / "model"
    source.mkdir()
    onnx.save(chain_model(), source / "model.onnx")
    model = Artifact(role=ARTIFACT_ROLE_MODEL_FP32, name="model.onnx")
    task = BuildTask(
        engine_key="bench", precision=PRECISION_FP32, placement="cpu", inputs=[_input()], artifacts=[model]
    )
    engine = folder / "engine"
    OnnxRuntime().build(task, source, engine, lambda artifact: source, lambda phase, fraction, detail: None)
    return engine


def _input() -> TensorSpec:
    return TensorSpec(name="x", dtype="float32", shape=CHAIN_SHAPE)


def _measure(folder: Path, engine: Path, seconds: float) -> str:
    """What raised INTERFERED in a child of its own, as an agent starts it."""
    attempt = AttemptDir(folder)
    artifact = Artifact(
        role=ARTIFACT_ROLE_ENGINE, name="it", sha256=sha256_file(engine), size_bytes=engine.stat().st_size
    )
    subject = Subject(
        variant_key="it",
        engine=artifact,
        placement="cpu",
        batch=1,
        runtime="onnxruntime",
        precision=PRECISION_FP32,
        inputs=[_input()],
        check=OutputCheck(rule=OutputCheck.RULE_OFF),
        options={"threads": "1"},
    )
    options = MeasureOptions(mode=MeasureOptions.MODE_LATENCY)
    for name, length_s in (("warmup", 0.3), ("min_duration", seconds), ("max_duration", seconds)):
        getattr(options, name).FromNanoseconds(int(length_s * 1e9))
    bench = BenchTask(schedule=BenchTask.SCHEDULE_ALONE, subjects=[subject], measure=options)
    attempt.create(TaskSpec(task_id=1, name="bench", bench=bench))
    (attempt.blobs / artifact.sha256).symlink_to(engine)
    subprocess.run([sys.executable, "-m", "agent.work", str(folder)], check=True, stderr=subprocess.DEVNULL)
    outcome = attempt.read_outcome()
    if outcome is None or not outcome.HasField("measured"):
        raise BrokenRun(f"nothing was measured: {outcome.failure.message if outcome else 'no outcome'}")
    flags = outcome.measured.measurements[0].flags
    return "; ".join(flag.evidence for flag in flags if flag.kind == FLAG_KIND_INTERFERED)


@contextmanager
def _loaded(command: Sequence[str]) -> Iterator[None]:
    """Beside a process that keeps the device busy until it is ended."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        if process.stdout is None or process.stdout.readline() != b"ready\n":
            raise BrokenRun("the load did not begin")
        yield
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


if __name__ == "__main__":
    main("interference", interference)
