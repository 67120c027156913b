"""The JSON shapes that programs rely on: a change here is a change of the public interface."""

import io
import json

from controller.cli.formats import print_json
from controller.model.result import Estimate, Flag, FlagKind, Provenance, TensorCheck
from controller.model.task import Failure, FailureKind, Progress, TaskKind, TaskState
from controller.model.view import PlannedTask, Reason, Submitted
from controller.record.devices import device_record
from controller.record.jobs import job_record, reason_record, submitted_record
from controller.record.results import result_record
from testing.measurements import row
from testing.views import device, job, task


def test_a_result() -> None:
    check = TensorCheck("out", True, 0.0, 0.0, 1.0, float("inf"), None, None, "")
    record = result_record(
        row(
            provenance=Provenance.SIMULATED,
            p99_ms=Estimate(None, reason="few"),
            flags=(Flag(FlagKind.UNSTABLE, "why"),),
            checks=(check,),
            circumstances={"gpu_clocks": "locked at 1020 MHz"},
        )
    )
    assert (record["gpu_clocks"], record["cpu_clocks"], record["inflight"]) == ("locked at 1020 MHz", None, None)
    assert record["provenance"] == "SIMULATED"
    assert record["verdict"] == "UNSTABLE"
    assert record["flags"] == [{"kind": "UNSTABLE", "evidence": "why"}]
    assert [record[f"p50_ms{end}"] for end in ("", "_low", "_high", "_reason")] == [14.7213, 14.67, 14.77, None]
    assert [record[f"p99_ms{end}"] for end in ("", "_low", "_high", "_reason")] == [None, None, None, "few"]
    assert record["checks"][0]["snr_db"] is None
    assert record["facts"] == {"arch": "x86_64", "cpu_isa": ["avx2", "fma"]}
    assert record["measured_at"] == "2026-03-01T12:00:00.000+00:00"
    assert (record["subject_index"], record["schedule"], record["mode"]) == (0, "ALONE", "latency")
    assert (record["lowering"], record["dla_time_share"]) == (None, None)


def test_a_job_with_its_tasks() -> None:
    failed = task(state=TaskState.FAILED, failure=Failure(FailureKind.CRASHED, "died", signal="SIGSEGV"))
    record = job_record(job(task(progress=Progress("measure", 0.5)), failed))
    assert (record["id"], record["state"], record["total"]) == (12, "RUNNING", 2)
    running, broken = record["tasks"]
    assert (running["phase"], running["fraction"], running["failure"]) == ("measure", 0.5, None)
    assert broken["failure"] == {
        "kind": "CRASHED",
        "message": "died",
        "phase": None,
        "exit_code": None,
        "signal": "SIGSEGV",
        "peak_rss_bytes": None,
    }


def test_a_plan_a_reason_and_a_device() -> None:
    planned = PlannedTask(TaskKind.BENCH, "bench x", "", "", reused=False)
    submitted = submitted_record(Submitted(0, (planned,), repeated_request=False, notes=("left out",)))
    assert submitted == {
        "job_id": None,
        "repeated_request": False,
        "notes": ["left out"],
        "tasks": [
            {"kind": "BENCH", "name": "bench x", "device": None, "engine_key": None, "reused": False, "boards": None}
        ],
    }
    assert reason_record(Reason(3, "bench x", TaskState.WAITING, "its engine")) == {
        "task_id": 3,
        "task_name": "bench x",
        "state": "WAITING",
        "why": "its engine",
    }
    assert device_record(device())["cordoned"] is None


def test_printed_json_cannot_steer_a_terminal() -> None:
    out = io.StringIO()
    print_json({"name": "\x1b[2J\u009b1m\u202e"}, out=out)
    assert out.getvalue().isascii()
    assert "\x1b" not in out.getvalue()
    assert json.loads(out.getvalue())["name"] == "\x1b[2J\u009b1m\u202e"
