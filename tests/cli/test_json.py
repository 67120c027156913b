"""docs/json.md against what the verbs print, both ways: no key that is not documented, none that is not there."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controller.analysis.compare import compare
from controller.analysis.history import histories
from controller.analysis.noise_levels import device_noise
from controller.analysis.recommendation.recommend import recommend
from controller.api.discovery import connect
from controller.api.submission import prepare_files
from controller.model.baseline import Baseline
from controller.model.divergence import Bisection, Divergence, LayerJudgement
from controller.model.engine import (
    Audited,
    BuildReport,
    Built,
    DlaPlacement,
    EngineView,
    Fallback,
    TimingCacheUse,
)
from controller.model.job import Artifact, Lowering, Precision, Role, ShapeRange, TensorSpec
from controller.model.quantities import read_goals
from controller.model.recommendation import RecommendationReport
from controller.model.result import Flag, FlagKind, Provenance, Round, Row, Run, TensorCheck
from controller.model.slow import Cause, CauseKind, Explained
from controller.model.task import DeviceClass, Failure, FailureKind, Recipe, TaskKind, TaskState
from controller.model.view import PlannedTask, Reason, Submitted
from controller.record.bisection import bisection_records
from controller.record.comparison import compared_record
from controller.record.devices import device_record, upgrade_record
from controller.record.engines import engine_record, engine_summary_record
from controller.record.gate import baseline_record, gate_record
from controller.record.history import history_record
from controller.record.jobs import job_record, job_summary_record, reason_record, submitted_record
from controller.record.noise import noise_record
from controller.record.recommendation import recommended_record
from controller.record.results import result_record
from controller.record.slowness import explained_records
from controller.record.upgrade import upgrade_report_record
from testing.measurements import WHEN, row
from testing.views import device, job, task
from tests.analysis import runs
from tests.analysis.recommendation.fleet import ORIN_NANO, measured
from tests.analysis.test_upgrade import upgraded
from tests.cli.conftest import Command
from tests.cli.shapes import Reader
from tests.gate.test_cells import cells, in_turns, report

Model = Callable[..., Path]
FILE = Artifact(Role.MODEL_FP32, "model.onnx", "ab" * 32, 4_000_000)


def test_every_verb_prints_what_is_written(fleet: Command, model: Model, tmp_path: Path) -> None:
    """On a running controller, with a simulated board."""
    reader = Reader()
    labelled = ("--label", "branch=main")
    path, archive = str(model()), tmp_path / "fleet.tar"
    submitted = fleet("submit", path, "--json", *labelled)
    number = str(json.loads(submitted.stdout)["submitted"]["job_id"])
    fleet("job", "watch", number)
    other = str(model(options="{simulated: {latency_ms: 4}}"))
    broken = str(model(options="{simulated: {fail: crash}}"))
    engine = json.loads(fleet("engines", "--json").stdout)["engines"][0]["key"]
    printed = [
        submitted,
        fleet("submit", other, "--dry-run", "--json"),
        fleet("submit", other, "--wait", "--json"),
        fleet("submit", broken, "--wait", "--json"),
        *(fleet("job", verb, number, "--json") for verb in ("show", "watch", "cancel", "why")),
        fleet("job", "bisect", number, "simulated-fp32-b1-cpu", "--json"),
        fleet("job", "slow", number, "--json"),
        fleet("jobs", "--json"),
        fleet("devices", "--json"),
        fleet("devices", "show", "board", "--json"),
        fleet("devices", "upgrade", "--json"),
        fleet("engines", "--json"),
        fleet("engines", "show", engine, "--json"),
        fleet("results", "--label", "branch=main", "--json"),
        fleet("compare", number, str(int(number) + 1), "--json"),
        fleet("recommend", number, "--json"),
        fleet("upgrade-report", number, str(int(number) + 1), "--json"),
        fleet("history", "simulated-fp32-b1-cpu", "--json"),
        fleet("gate", str(int(number) + 1), "--baseline", number, "--stored", "--json"),
        fleet("baseline", "list", "--json"),
        fleet("noise", "board", "--benches", "0", "--json"),
        fleet("query", "select job_id, p50_ms from v_results", "--json"),
        fleet("export", path, "--check", "--json"),
        fleet("gc", "--dry-run", "--json"),
        fleet("backup", str(archive), "--json"),
        Command(tmp_path / "restored")("restore", str(archive), "--json"),
        fleet("fsck", "--json"),
        fleet("audit", "list", "--json"),
        fleet("audit", "verify", "--json"),
    ]
    for done in printed:
        document = json.loads(done.stdout)
        assert document["schema_version"] == 1
        reader.read(document)
    refused = fleet("job", "show", "99999", "--json")
    reader.read(json.loads(refused.stderr))
    assert reader.keys == {key for key, _ in reader.documents}


def test_every_shape_is_as_written_where_nothing_is_unknown() -> None:
    reader = Reader()
    check = TensorCheck("y", True, 0.1, 0.1, 1.0, float("inf"), 1.0, None, "close")
    ran = Run(0, 5, 1.0, 0.1, 2, 0.3, {"p50_ms": 1.0}, 0.9, 1.1, (Flag(FlagKind.UNSTABLE, "drift"),), FILE, "PAUSED")
    full = row(flags=(Flag(FlagKind.UNSTABLE, "drift"),), checks=(check,), rounds=(Round(5, 1.0, 1.1),), runs=(ran,))
    failure = Failure(FailureKind.CRASHED, "died", "measure", 1, "SIGSEGV", 5)
    failed = task(state=TaskState.FAILED, failure=failure, logs=(FILE,), because_of_task=2)
    layer = LayerJudgement("y", "last", "MatMul", False, 0.5, 0.1, "cosine 0.5", "not finite")
    planned = PlannedTask(TaskKind.BENCH, "x", "board", "e" * 64, reused=False, boards="x86_64: 1")
    boards = [runs.row(1), runs.row(2, 12.0, device="nano-2"), runs.row(3, device="nano-3")]
    for document in (
        {"job": job_record(job(failed)), "jobs": [job_summary_record(job(failed))]},
        {"submitted": submitted_record(Submitted(1, (planned,), repeated_request=True, notes=("left out",)))},
        {"reasons": [reason_record(Reason(3, "x", TaskState.WAITING, "its engine"))]},
        {"explained": explained_records([Explained(full, (Cause(CauseKind.LAYER, "x", "y", 0.5),), ("z",))])},
        {"bisections": bisection_records([Bisection("v", Divergence((layer,), layer, (layer,)))])},
        {
            "upgrades": [
                upgrade_record(device(facts={"container": "none"}), wanted="9"),
                upgrade_record(device(), wanted="9"),
            ]
        },
        {
            "device": device_record(device(disk_free_bytes=5, clock_ahead_s=0.1, refused="older")),
            "devices": [device_record(device(cordoned="3 faults"))],
        },
        {"results": [result_record(full), result_record(row(subject_index=None))]},
        {"compared": compared_record(compare([replace(item, job_id=1) for item in boards]))},
        {"recommended": recommended_record(_recommended())},
        {"gate": gate_record(report(cells(in_turns([1.0] * 8)), missing=("x",)))},
        {"baselines": [baseline_record(Baseline("main", "", 1, WHEN, "ann"))]},
        {"histories": [history_record(item) for item in histories(_changed(), "p50_ms")]},
        {"upgrade_report": upgrade_report_record(upgraded())},
        {"noise": noise_record(device_noise("nano-1", boards, "p50_ms", provenance=Provenance.MEASURED))},
        {"engine": engine_record(_engine()), "engines": [engine_summary_record(_engine())]},
    ):
        reader.read(document)
    by_cli_alone = {
        "export",
        "port",
        "agreement",
        "error",
        "removed",
        "backup",
        "fsck",
        "fault",
        "audit_entry",
        "audit_log",
    }
    assert reader.seen == set(reader.shapes) - by_cli_alone


def _changed() -> list[Row]:
    """Ten benches, the second half twice as slow."""
    return [runs.row(number, 10.0 if number < 6 else 20.0) for number in range(1, 11)]


def _recommended() -> RecommendationReport:
    """One class in which every kind of thing happened."""
    modes = [
        measured(number, "tensorrt-fp16-b1-gpu", 5.0 + number, facts={**ORIN_NANO, "power_mode": f"{number}W"})
        for number in (1, 2)
    ]
    others = (
        measured(3, "tensorrt-fp32-b1-gpu", 30.0),
        measured(4, "tensorrt-int8-b1-gpu", 6.01),
        measured(5, "tensorrt-fp16-b1-dla0", 9.0),
        measured(6, "tensorrt-fp16-b2-gpu", 7.0, FlagKind.THROTTLED),
    )
    report = recommend([*modes, *others], read_goals("latency", {"p50_ms": 20.0}, where="x"))
    (found,) = report.classes
    return replace(report, classes=(replace(found, cheapest_mode=found.winners[0]),))


def _engine() -> EngineView:
    inputs = (TensorSpec("x", "float32", (4, 3), ShapeRange((1, 3), (4, 3), (8, 3))),)
    recipe = Recipe("tensorrt", "10.3.0", Precision.INT8, Lowering.BUILDER_FLAGS, "dla", inputs, (FILE,), {"a": "b"})
    report = BuildReport(
        *(1, 2, 3, 4),
        timing_cache=TimingCacheUse(("aa" * 32,), 7, 1),
        dla=DlaPlacement(9, 1, 1, (Fallback("l", "SOFTMAX", "unsupported"),)),
        warnings=("careful",),
    )
    built = Built(replace(FILE, role=Role.ENGINE), 75.0, "15W", report)
    klass = DeviceClass("k" * 64, (("module", "p3701-0005"),))
    audit = Audited(7, 1, "orin", "VALID", "float32")
    return EngineView("e" * 64, recipe, klass, built, "orin", WHEN, ("v",), (FILE,), audit)


@pytest.mark.parametrize("name", ["DISQUALIFYING", "REMARKS"])
def test_every_flag_is_explained(name: str) -> None:
    from controller.model import result

    text = (Path(__file__).resolve().parents[2] / "docs" / "database.md").read_text()
    assert all(f"`{kind.value}`" in text for kind in getattr(result, name))


def test_a_variant_that_was_refused_at_submit_is_in_the_results_with_its_reason(fleet: Command, model: Model) -> None:
    path = model(variants="{runtime: [simulated], precision: [fp32, tf32]}")
    ((_, prepared),) = prepare_files([path], state_dir=fleet.state, on_message=print)
    bad, good = prepared.spec.variants
    spec = replace(prepared.spec, variants=(replace(bad, refusal="float16 cannot hold 70000"), good))
    with connect(fleet.state, on_message=print) as client:
        number = str(client.submit_spec(spec, prepared.files).job_id)
    fleet("job", "watch", number)
    document = json.loads(fleet("results", number, "--json").stdout)
    Reader().read(document)
    (refused,) = document["refused"]
    assert refused["name"] == bad.key
    assert refused["failure"]["message"] == "float16 cannot hold 70000"
    assert [item["variant"] for item in document["results"]] == [good.key]
    assert json.loads(fleet("results", "--json").stdout)["refused"] == []
    shown = fleet("job", "show", number).stdout
    (line,) = [line for line in shown.splitlines() if "float16 cannot hold 70000" in line]
    assert line.strip().startswith(f"BENCH {bad.key}: BUILD_REFUSED: ")
