"""`controller export ID --format`: what it writes is read by what reads such files, against a simulated board."""

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.record.arrays import read_npy, read_npz
from controller.report.inferences.chrome import chrome_trace
from controller.report.inferences.process import ProcessRecord, SensorSeries, Span, read_process
from controller.report.inferences.trtexec import trtexec_times
from jetfleet.errors import BadInput, Corrupt
from tests.cli.conftest import Command

# sampleReporting.cpp's exportJSONTrace, TensorRT 10.
TRTEXEC_KEYS = [
    *("startEnqMs", "endEnqMs", "startH2dMs", "endH2dMs", "startComputeMs", "endComputeMs", "startD2hMs", "endD2hMs"),
    *("h2dMs", "computeMs", "d2hMs", "latencyMs"),
]


@pytest.fixture(scope="module")
def job(fleet: Command, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The one result of a paced job of a simulated model."""
    import onnx
    from onnx import TensorProto, helper

    folder = tmp_path_factory.mktemp("jobs")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "twice", values[:1], values[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(made, str(folder / "model.onnx"))
    path = folder / "job.yaml"
    path.write_text(
        "apiVersion: jetfleet/v1\nname: twice\nmodel: {onnx: model.onnx}\nvariants: {runtime: [simulated]}\n"
        "options: {simulated: {latency_ms: 4}}\n"
        "measure: {mode: paced, rate_hz: 100, warmup_s: 0.05, seconds: 4, max_seconds: 4}\n"
    )
    done = fleet("submit", str(path), "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(fleet("results", done.stdout.splitlines()[0], "--json").stdout)["results"][0]
    return found


@pytest.fixture
def export(fleet: Command, job: dict[str, Any], tmp_path: Path) -> Callable[[str], Path]:
    def write(format_: str) -> Path:
        path = tmp_path / "out"
        done = fleet("export", str(job["job_id"]), "--format", format_, "--output", str(path))
        assert done.returncode == 0, done.stderr
        assert done.stderr == f"{format_} of 1 measurement: {path}\n"
        return path

    return write


def test_a_paced_row_holds_its_pace(job: dict[str, Any]) -> None:
    assert (job["mode"], job["arrivals"], job["deadline"]) == ("paced", "100 Hz, fixed", "10 ms")
    assert job["paced_miss_share"] == 0
    assert job["response_p50_ms"] == pytest.approx(4, rel=0.05)


def test_trtexecs_file_has_trtexecs_keys(export: Callable[[str], Path], job: dict[str, Any]) -> None:
    found = json.loads(export("trtexec-times").read_text())
    assert len(found) == job["n"]
    assert all(list(entry) == TRTEXEC_KEYS for entry in found)
    begins = [entry["startEnqMs"] for entry in found]
    assert begins == sorted(begins)
    for entry in found:
        assert entry["latencyMs"] == pytest.approx(entry["h2dMs"] + entry["computeMs"] + entry["d2hMs"])
        assert entry["endComputeMs"] - entry["startComputeMs"] == pytest.approx(entry["computeMs"], abs=1e-6)
        assert entry["endH2dMs"] == entry["startComputeMs"]


def test_a_trace_is_one_that_viewers_open(export: Callable[[str], Path], job: dict[str, Any]) -> None:
    document = json.loads(export("chrome-trace").read_text())
    events = document["traceEvents"]
    check_trace(events)
    assert Counter(event["name"] for event in events if event["ph"] == "X")["inference"] == job["n"]
    assert {event["name"] for event in events if event["ph"] == "X"} >= {"load", "warm-up", "measure", "compute"}
    assert len({event["pid"] for event in events}) == job["processes"]
    names = [event["args"]["name"] for event in events if event["name"] == "process_name"]
    assert names == [f"simulated-fp32-b1-cpu on board, process {number}" for number in range(job["processes"])]


def check_trace(events: list[dict[str, Any]]) -> None:
    """Google's Trace Event Format: what each phase must have, and slices of a thread that nest."""
    needed = {
        "X": {"ts", "dur"},
        "M": {"args"},
        "C": {"ts", "args"},
        "b": {"ts", "id", "cat"},
        "e": {"ts", "id", "cat"},
    }
    slices: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for event in events:
        assert needed[event["ph"]] | {"ph", "pid", "tid", "name"} <= set(event)
        assert all(math.isfinite(event[key]) and event[key] >= 0 for key in ("ts", "dur") if key in event)
        if event["ph"] == "X":
            slices.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["ts"] + event["dur"]))
    for spans in slices.values():
        open_until: list[float] = []
        for begin, end in sorted(spans, key=lambda span: (span[0], -span[1])):
            while open_until and open_until[-1] <= begin + 0.01:
                open_until.pop()
            assert not open_until or end <= open_until[-1] + 0.01
            open_until.append(end)


def test_parquet_is_read_by_pyarrow(export: Callable[[str], Path], job: dict[str, Any]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(export("parquet"))
    assert table.num_rows == job["n"]
    assert {"job_id", "measurement_id", "variant", "device", "process", "round", "stream", "begin_ms"} <= set(
        table.column_names
    )
    assert {"latency_ms", "e2e_ms", "compute_ms", "queue_ms", "response_ms"} <= set(table.column_names)
    assert set(table["measurement_id"].to_pylist()) == {job["measurement_id"]}
    assert sorted(set(table["process"].to_pylist())) == list(range(job["processes"]))
    assert sorted(table["latency_ms"].to_pylist())[job["n"] // 2] == pytest.approx(job["p50_ms"], rel=0.01)


def test_npz_is_read_by_numpy(export: Callable[[str], Path], job: dict[str, Any]) -> None:
    import numpy as np

    with np.load(export("npz")) as archive:
        assert len(archive.files) == job["processes"]
        assert sum(len(archive[name]) for name in archive.files) == job["n"]


def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    from controller.report.inferences.parquet import write_parquet

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BadInput, match=r"pyarrow is not installed(.|\n)*jetfleet\[parquet\]"):
        write_parquet(tmp_path / "x", [])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.yaml", "--format", "npz", "--output", "x"], "'nothing.yaml' is not the number of a job"),
        (["1", "--format", "csv", "--output", "x"], "'csv' is not a format"),
        (["1", "--format", "npz"], "no file is named"),
        (["1", "--format", "chrome-trace", "--output", "x", "--measurement", "999999"], "there is no measurement"),
        (["999999", "--format", "npz", "--output", "x"], "999999"),
    ],
)
def test_mistakes_are_told(fleet: Command, job: dict[str, Any], arguments: list[str], words: str) -> None:
    done = fleet("export", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


GPU = {
    "begin_ms": (0.0, 2.0),
    "round": (0, 0),
    "stream": (0, 1),
    "h2d_ms": (0.2, 0.2),
    "compute_ms": (1.0, 1.1),
    "d2h_ms": (0.1, 0.1),
    "enqueue_ms": (0.3, 0.3),
    "latency_ms": (1.3, 1.4),
    "e2e_ms": (1.5, 1.6),
}


def test_streams_and_sensors_of_a_gpu_have_tracks_of_their_own() -> None:
    phases, rounds = (Span("load", -0.5, -0.1), Span("measure", -0.1, 0.01)), (Span("round 1", 0.0, 0.0036),)
    made = ProcessRecord(0, phases, rounds, {0: GPU}, (SensorSeries("power.VDD_IN", "W", (0.0, 0.1), (5.0, 6.0)),))
    events = chrome_trace([("a", made), ("b", made)], about={})["traceEvents"]
    check_trace(events)
    tracks = {event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert tracks == {"phases", "rounds", "subject 0, stream 0", "subject 0, stream 1"}
    counters = [event for event in events if event["ph"] == "C"]
    assert [event["args"] for event in counters[:2]] == [{"W": 5.0}, {"W": 6.0}]
    assert {event["name"] for event in events if event["tid"] == 10 and event["ph"] == "X"} == {
        *("inference", "h2d", "compute", "d2h")
    }
    (first, second) = (min(e["ts"] for e in events if e["pid"] == pid and "ts" in e) for pid in (1, 2))
    assert first == 0
    assert second >= max(e["ts"] for e in events if e["pid"] == 1 and e["ph"] == "X")


def test_times_of_a_gpu_are_those_of_its_stages() -> None:
    made = ProcessRecord(0, (), (), {0: GPU})
    first, *_, last = trtexec_times([made, made], 0)
    assert (first["h2dMs"], first["computeMs"], first["d2hMs"]) == (0.2, 1.0, 0.1)
    assert first["endEnqMs"] == 0.3
    assert last["startEnqMs"] == pytest.approx(2.0 + 2.0 + 0.2 + 1.1 + 0.1)


def test_a_damaged_timeline_is_told_as_that() -> None:
    for content in (b"", b"PK\x03\x04nonsense", b"\x93NUMPY"):
        with pytest.raises(Corrupt):
            read_process(0, content)
    with pytest.raises(Corrupt):
        read_npy(b"no array")
    with pytest.raises(Corrupt):
        list(read_npz(b"no archive"))
