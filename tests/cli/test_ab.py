"""`controller submit --ab`: two job files, or two variants of one, and the answer at the end."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.model.comparison import Answer, Source
from jetfleet.address import socket_address
from tests.cli.conftest import Command

Job = Callable[..., str]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Writes a job of a simulated model in two precisions, or in fp32 alone."""
    import onnx
    from onnx import TensorProto, helper

    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "twice", values[:1], values[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(made, str(tmp_path / "model.onnx"))

    def write(name: str, latency_ms: int, *, precisions: str = "fp32") -> str:
        path = tmp_path / f"{name}.yaml"
        path.write_text(
            f"apiVersion: jetfleet/v1\nname: {name}\nmodel: {{onnx: model.onnx}}\n"
            f"variants: {{runtime: [simulated], precision: [{precisions}]}}\n"
            f"options: {{simulated: {{latency_ms: {latency_ms}}}}}\n"
            "measure: {warmup_s: 0.05, seconds: 0.2, max_seconds: 2}\n"
        )
        return str(path)

    return write


def test_two_job_files(fleet: Command, job: Job) -> None:
    done = fleet("submit", "--ab", job("old", 4), job("new", 8), "--wait", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["job"]["name"] == "new vs old"
    assert [row["schedule"] for row in document["results"]] == ["INTERLEAVED"] * 2
    (found,) = document["compared"]["comparisons"]
    assert (found["answer"], round(found["ratio"], 1)) == ("SLOWER", 2.0)
    assert found["row"]["variant"].endswith("@candidate")
    again = json.loads(fleet("compare", str(document["job"]["id"]), "--json").stdout)
    assert again["compared"] == document["compared"]


def test_the_same_from_python(fleet: Command, job: Job) -> None:
    with Client(socket_address(fleet.state), state_dir=fleet.state) as client:
        made = client.submit_ab(job("old", 4), job("new", 3))
        made.wait()
        (found,) = made.compare().comparisons
    assert (found.answer, found.effect and found.effect.source) == (Answer.FASTER, Source.INTERLEAVED)
    assert found.row.interleaved is not None
    assert found.row.interleaved.stopped == "the second one is faster, at the look at 4 processes"


def test_two_variants_of_one_job_and_a_gate(fleet: Command, job: Job) -> None:
    asked = ("submit", job("both", 4, precisions="fp32, fp16"), "--ab", "*-fp32-*", "*-fp16-*")
    done = fleet(*asked, "--fail-on", "same")
    assert done.returncode == 3, done.stderr
    assert "--fail-on: SAME" in done.stderr
    assert fleet(*asked, "--fail-on", "slower").returncode == 0


def test_a_plan_names_both(fleet: Command, job: Job) -> None:
    done = fleet("submit", "--ab", job("old", 4), job("new", 8), "--dry-run")
    key = "simulated-fp32-b1-cpu"
    assert f"{key}@candidate vs {key}@base" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a.yaml", "b.yaml", "--ab", "x", "y"), "2 job files beside the pair"),
        (("a.yaml", "--fail-on", "slower"), "it takes a comparison"),
        (("--ab", "x"), "it takes BASE CANDIDATE"),
        ((), "JOB.yaml... is missing"),
    ],
)
def test_what_is_no_pair(command: Command, arguments: tuple[str, ...], words: str) -> None:
    done = command("submit", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_variant_that_there_is_not(fleet: Command, job: Job) -> None:
    done = fleet("submit", job("both", 4), "--ab", "nothing", "*")
    assert done.returncode == 2
    assert "no variant of both is called 'nothing'" in done.stderr


def test_a_simulated_and_a_measured_variant_are_refused_when_planned(fleet: Command, job: Job, tmp_path: Path) -> None:
    mixed = Path(job("mixed", 4))
    mixed.write_text(mixed.read_text().replace("runtime: [simulated]", "runtime: [simulated, onnxruntime]"))
    for more in ((), ("--dry-run",)):
        done = fleet("submit", str(mixed), "--ab", "simulated-*", "onnxruntime-*", *more)
        assert done.returncode == 2
        assert "is simulated and onnxruntime-fp32-b1-cpu is measured" in done.stderr
        assert "both simulated, or neither" in done.stderr


def test_one_process_is_refused(fleet: Command, job: Job) -> None:
    single = [Path(job(name, 4)) for name in ("old", "new")]
    for path in single:
        path.write_text(path.read_text().replace("measure: {", "measure: {runs: 1, "))
    done = fleet("submit", "--ab", *map(str, single), "--dry-run")
    assert (done.returncode, "runs: auto, or at least 2" in done.stderr) == (2, True)
