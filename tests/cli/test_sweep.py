"""A sweep of a named dimension, from the job file to the comparison, by an agent with ONNX Runtime."""

import json
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from tests.cli.conftest import Command


def write_job(folder: Path, variants: str) -> Path:
    """y = x x^T over a sequence of tokens."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "length", 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "length", "length"])
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["x", "t"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "scores", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, str(folder / "model.onnx"))
    path = folder / "job.yaml"
    path.write_text(
        "apiVersion: jetfleet/v1\nname: scores\n"
        "model: {onnx: model.onnx, inputs: {x: {shape: [batch, seq=16, 8]}}}\n"
        f"variants: {variants}\n"
        "measure: {runs: 2, warmup_s: 0.05, seconds: 0.2, max_seconds: 2}\n"
    )
    return path


def test_a_sweep_of_a_dimension_is_measured_and_compared(command: Command, tmp_path: Path) -> None:
    job = write_job(tmp_path, "{dims: {seq: [16, 128]}, options: {threads: [1, 2]}}")
    done = command("submit", str(job), "--wait", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    rows = {row["variant"]: row for row in document["results"]}
    assert len(rows) == 4
    for key, row in rows.items():  # a busy machine may make them noisy, and never wrong
        assert "WRONG_OUTPUT" not in {flag["kind"] for flag in row["flags"]}, row
        assert row["p50_ms"] > 0
        assert row["checks"], "every size is held against references of its own"
        assert key.endswith(f"seq_{row['dims']['seq']}-threads_{row['options'].get('threads', '1')}")
    compared = command("compare", str(document["job"]["id"]), "--json")
    assert compared.returncode == 0, compared.stderr
    assert len(json.loads(compared.stdout)["compared"]["comparisons"]) == 3
