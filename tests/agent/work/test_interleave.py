"""Two subjects in turns: the order of their rounds, what their blocks amount to, real processes and real engines."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from agent.daemon.runner import run_attempt
from agent.runtime.arrays import Tensor
from agent.runtime.base import RoundRecord
from agent.runtime.onnxruntime.options import session_options
from agent.work.interleave import FEWEST_BLOCKS, TAIL_SAMPLES, InTurns, Turns, interleave
from agent.work.measure import MeasureLimits
from agent.work.together import CallerThread, GroupRecording, Lane
from jetfleet.v1.task_pb2 import FLAG_KIND_WRONG_OUTPUT, BenchTask, Outcome, TaskSpec
from tests.agent.builders import Blobs, as_model, bench_task

OUTPUT = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)


class Machine:
    """It slows down by a twentieth of a percent with every inference of anybody."""

    def __init__(self) -> None:
        self.now_ns, self.inferences = 0, 0

    def infer(self, latency_ms: float) -> None:
        self.now_ns += int(latency_ms * (1 + 0.0005 * self.inferences) * 1e6)
        self.inferences += 1


class Drifting:
    """A session on a machine that it shares."""

    def __init__(self, machine: Machine, latency_ms: float) -> None:
        self._machine, self._latency_ms = machine, latency_ms

    def clock(self) -> int:
        return self._machine.now_ns

    def infer(self) -> None:
        self._machine.infer(self._latency_ms)

    def bind(self, inputs: Mapping[str, Tensor]) -> None: ...

    def outputs(self) -> dict[str, Tensor]:
        return {}

    def prepare(self, count: int) -> None: ...

    def collect(self) -> RoundRecord:
        return RoundRecord()

    def describe(self) -> dict[str, str]:
        return {}

    def close(self) -> None: ...


def timed(turns: Turns, *latencies_ms: float) -> InTurns:
    machine = Machine()
    lanes = [Lane(Drifting(machine, latency_ms), CallerThread()) for latency_ms in latencies_ms]
    return interleave(lanes, MeasureLimits(0.0, 0.5, 10.0), lambda *said: None, turns=turns)


def test_each_is_loaded_first_and_begins_in_half_of_the_processes():
    runs = [Turns(run) for run in range(4)]
    assert [turns.second_loaded_first for turns in runs] == [False, True, False, True]
    assert [turns.block(0) for turns in runs] == [(0, 1, 1, 0), (0, 1, 1, 0), (1, 0, 0, 1), (1, 0, 0, 1)]
    assert [turns.block(1) for turns in runs[:1]] == [(1, 0, 0, 1)]


def test_what_drifts_drifts_for_both():
    found = timed(Turns(0), 2.0, 2.1)
    first, second = (np.median(np.concatenate(part.rounds)) for part in found.seen.recordings)
    assert first > 2.1  # the machine has become much slower meanwhile
    assert found.by_metric()["p50_ms"] == pytest.approx(1.05, abs=0.003)
    assert len(found.ratios) % 2 == 0
    assert len(found.ratios) >= FEWEST_BLOCKS
    assert second > first


def test_equal_ones_are_equal_whoever_begins():
    for run in range(4):
        assert timed(Turns(run), 2.0, 2.0).by_metric()["p50_ms"] == pytest.approx(1.0, abs=0.002)


def test_p99_takes_samples():
    seen = GroupRecording.of(2)
    for part, samples in zip(seen.recordings, (np.arange(1.0, TAIL_SAMPLES), np.full(500, 2.0)), strict=True):
        part.rounds.append(samples)
    assert InTurns(seen, [1.0]).by_metric().keys() == {"p50_ms", "mean_ms"}
    seen.recordings[0].rounds.append(np.array([200.0]))
    assert InTurns(seen, [1.0]).by_metric()["p99_ms"] == pytest.approx(2.0 / 99)


def pair(*tasks: TaskSpec, runs: int = 0) -> TaskSpec:
    spec = TaskSpec()
    spec.CopyFrom(tasks[0])
    spec.bench.schedule, spec.bench.measure.runs = BenchTask.SCHEDULE_INTERLEAVED, runs
    spec.bench.subjects.extend(subject for task in tasks[1:] for subject in task.bench.subjects)
    return spec


def attempted(spec: TaskSpec, blobs: Blobs, folder: Path) -> Outcome:
    return asyncio.run(
        run_attempt(spec, folder, blobs.path, on_progress=lambda progress: None, stop=asyncio.Event(), env={})
    )


def test_processes_that_share_their_drift_agree_on_the_ratio(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "store")
    files = blobs.references({}, {"y": OUTPUT})
    seconds = (0.05, 0.2, 2.0)
    tasks = [
        bench_task(blobs, artifacts=files, seconds=seconds, run_spread="0.2", jitter="0.01", latency_ms=latency)
        for latency in ("2", "2.1")
    ]
    outcome = attempted(pair(*tasks), blobs, tmp_path / "attempt")
    found = outcome.measured.interleaved
    assert found.stopped == "the second one is slower, at the look at 4 processes"
    assert [(run.index, run.second_loaded_first) for run in found.runs] == [
        (0, False),
        (1, True),
        (2, False),
        (3, True),
    ]
    assert [run.ratios["p50_ms"] for run in found.runs] == pytest.approx([1.05] * 4, abs=0.006)
    medians = [run.metrics["p50_ms"] for run in outcome.measured.measurements[0].runs]
    assert max(medians) > 1.05 * min(medians)
    assert [part.subject_index for part in outcome.measured.measurements] == [0, 1]


def test_both_are_checked_first(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "store")
    files = blobs.references({}, {"y": OUTPUT})
    tasks = [bench_task(blobs, artifacts=files, output_error=error) for error in ("0", "0.5")]
    outcome = attempted(pair(*tasks), blobs, tmp_path / "attempt")
    first, second = outcome.measured.measurements
    assert FLAG_KIND_WRONG_OUTPUT in {flag.kind for flag in second.flags}
    assert (first.n, second.n) == (0, 0)
    assert not outcome.measured.HasField("interleaved")


def chain(layers: int, *, width: int = 192) -> bytes:
    """So many products of matrices, on one thread."""
    random = np.random.default_rng(0)
    names = ["x", *(f"h{at}" for at in range(1, layers)), "y"]
    weights = [
        numpy_helper.from_array((random.standard_normal((width, width)) / width**0.5).astype(np.float32), f"w{at}")
        for at in range(layers)
    ]
    nodes = [helper.make_node("MatMul", [names[at], f"w{at}"], [names[at + 1]]) for at in range(layers)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [64, width]) for name in ("x", "y")]
    made: onnx.ModelProto = as_model(helper.make_graph(nodes, "chain", ends[:1], ends[1:], weights))
    return made.SerializeToString()


def on_onnxruntime(blobs: Blobs, layers: int, folder: Path) -> TaskSpec:
    import onnxruntime

    options, path = session_options({"threads": "1"}), folder / f"{layers}.onnx"
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(chain(layers), options, providers=["CPUExecutionProvider"])
    task = bench_task(blobs, engine=path.read_bytes(), runtime="onnxruntime", seconds=(0.1, 0.3, 3.0), threads="1")
    task.bench.subjects[0].inputs[0].shape[:] = [64, 192]
    task.bench.subjects[0].batch = 64
    return task


def test_real_engines_of_unlike_size_in_real_processes(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "store")
    tasks = [on_onnxruntime(blobs, layers, tmp_path) for layers in (10, 15)]
    outcome = attempted(pair(*tasks, runs=2), blobs, tmp_path / "attempt")
    assert not outcome.HasField("failure"), outcome.failure.message
    ratios = [run.ratios for run in outcome.measured.interleaved.runs]
    assert len(ratios) == 2
    assert all(1.02 < each["p50_ms"] < 3 for each in ratios)  # half as much again, on whatever machine this is
    assert all(len(part.runs) == 2 for part in outcome.measured.measurements)


def test_engines_of_unlike_runtimes(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "store")
    real = on_onnxruntime(blobs, 10, tmp_path)
    made_up = bench_task(blobs, latency_ms="500")
    outcome = attempted(pair(real, made_up, runs=2), blobs, tmp_path / "attempt")
    assert not outcome.HasField("failure"), outcome.failure.message
    assert all(run.ratios["p50_ms"] > 2 for run in outcome.measured.interleaved.runs)
