"""`controller compare` and the filters of `controller results`, as processes against a fleet of one simulated board."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command

Model = Callable[..., Path]


@pytest.fixture(scope="module")
def jobs(fleet: Command, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two jobs of one simulated model, the second twice as slow."""
    import onnx
    from onnx import TensorProto, helper

    folder = tmp_path_factory.mktemp("jobs")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "twice", values[:1], values[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(made, str(folder / "model.onnx"))
    found = []
    for latency_ms in (4, 8):
        path = folder / "job.yaml"
        path.write_text(
            "apiVersion: jetfleet/v1\nname: twice\nmodel: {onnx: model.onnx}\nvariants: {runtime: [simulated]}\n"
            f"options: {{simulated: {{latency_ms: {latency_ms}}}}}\n"
            "measure: {warmup_s: 0.05, seconds: 0.2, max_seconds: 2}\n"
        )
        done = fleet("submit", str(path), "--wait")
        assert done.returncode == 0, done.stderr
        found.append(done.stdout.splitlines()[0])
    return found


def compared(done: Any) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["compared"]


def test_two_jobs(fleet: Command, jobs: list[str]) -> None:
    done = fleet("compare", *jobs)
    assert (done.returncode, done.stderr) == (0, "")
    heading, row, *notes = done.stdout.splitlines()
    assert heading.split()[:4] == ["job", "variant", "device", "provenance"]
    assert row.split()[:4] == [jobs[1], "simulated-fp32-b1-cpu", "board", "SIMULATED"]
    assert row.split()[-1] == "SLOWER"
    assert notes[0].startswith(f"  ratio: p50_ms over that of job {jobs[0]}; below 1 is faster.")
    assert notes[-1] == "  1 of 1 row is SIMULATED: made-up numbers, not measurements"


def test_the_other_formats(fleet: Command, jobs: list[str]) -> None:
    found = compared(fleet("compare", *jobs, "--by", "job", "--baseline", jobs[1], "--json"))
    assert (found["by"], found["baseline"]) == ("job", jobs[1])
    (item,) = found["comparisons"]
    assert (item["answer"], item["row"]["provenance"]) == ("FASTER", "SIMULATED")
    assert item["ratio_low"] <= item["ratio"] <= item["ratio_high"] < 0.6
    (line,) = csv.DictReader(io.StringIO(fleet("compare", *jobs, "--csv").stdout))
    assert (line["answer"], line["baseline"]) == ("SLOWER", jobs[0])
    marked = fleet("compare", *jobs, "--markdown").stdout.splitlines()
    assert marked[1].startswith("| --: | --- |")
    assert marked[2].startswith(f"| {jobs[1]} | simulated-fp32-b1-cpu | board | SIMULATED |")
    assert marked[4].startswith("- ratio: ")


def test_gates(fleet: Command, jobs: list[str]) -> None:
    slower = fleet("compare", *jobs, "--fail-on", "slower,cannot-tell")
    assert (slower.returncode, slower.stderr) == (3, "--fail-on: SLOWER\n")
    assert fleet("compare", *jobs, "--baseline", jobs[1], "--fail-on", "slower,cannot-tell").returncode == 0
    assert fleet("compare", jobs[0], "--fail-on", "slower").returncode == 3  # nothing was compared
    assert fleet("compare", *jobs, "--fail-on", "").returncode == 2  # an unset variable is a gate that never closes
    wrong = fleet("compare", *jobs, "--fail-on", "dearer")
    assert wrong.returncode == 2
    assert "'dearer' is not one of faster, slower" in wrong.stderr


def test_raw_samples_come_out(fleet: Command, jobs: list[str], tmp_path: Path) -> None:
    import numpy as np

    done = fleet(
        "results", jobs[0], "--samples", str(tmp_path / "s.npz"), "--times", str(tmp_path / "t.json"), "--json"
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["results"]
    with np.load(tmp_path / "s.npz") as archive:
        names = list(archive.files)
        samples = np.concatenate([archive[name] for name in names])
    assert all(name.startswith(f"{jobs[0]}-simulated-fp32-b1-cpu-board") for name in names)
    assert len(samples) == row["n"]
    times = json.loads((tmp_path / "t.json").read_text())
    assert [item["latencyMs"] for item in times] == samples.tolist()


def test_an_engine_comes_out(fleet: Command, jobs: list[str], tmp_path: Path) -> None:
    done = fleet("engines", "download", "simulated-fp32-b1-cpu", "--job", jobs[0], "-o", str(tmp_path / "engine"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "engine").stat().st_size > 0
    assert fleet("engines", "download", "nothing-like-it").returncode == 2


def test_nothing_to_compare_is_no_mistake(fleet: Command, jobs: list[str]) -> None:
    done = fleet("compare", jobs[0], "--by", "variant")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "nothing to compare: these results hold one variant only, simulated-fp32-b1-cpu\n"
    assert fleet("compare", *jobs, "--where", "sku=other").stdout == "no results\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["4711"], "4711"),
        (["--by", "device", "--baseline", "nobody"], "expected: one of: board"),
        (["--by", "device", "--baseline", "simulated-fp32-b1-cpu"], "it is a variant: use --by variant"),
        (["--across", "colour"], "there is no fact 'colour'"),
        (["--json", "--csv"], "choose one of --json, --csv"),
        (["--by", "colour"], "colour"),
    ],
)
def test_mistakes(fleet: Command, jobs: list[str], arguments: list[str], said: str) -> None:
    done = fleet("compare", *jobs, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("sku=orin-nano-8gb", True),
        ("sku=a,orin-nano-8gb", True),
        ("sku=agx", False),
        ("arch=aarch64", True),
        ("simulated=true", True),
        ("simulated=false", False),
        ("jetpack>=6.1,<7", True),
        ("jetpack<6", False),
        ("cpu_count>=4", True),
        ("cpu_count>=4,<6", False),
        ("runtime.simulated=1", True),
        ("runtime.simulated>1", False),
        ("power_mode=15W", False),  # unknown matches nothing
    ],
)
def test_results_are_filtered_by_any_fact(fleet: Command, jobs: list[str], where: str, kept: bool) -> None:
    done = fleet("results", jobs[0], "--where", where, "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["results"]) == kept


def test_results_in_markdown(fleet: Command, jobs: list[str]) -> None:
    lines = fleet("results", jobs[0], "--markdown").stdout.splitlines()
    assert lines[0].startswith("| job | variant | device | provenance |")
    assert lines[2].startswith(f"| {jobs[0]} | simulated-fp32-b1-cpu | board | SIMULATED |")
    assert lines[-1] == "- 1 of 1 row is SIMULATED: made-up numbers, not measurements"
    assert fleet("results", jobs[0], "--markdown", "--csv").returncode == 2
