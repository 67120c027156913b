"""`job bisect --on DEVICE`, for real: an agent builds and runs every probe, and its own engines name the layer."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from controller.api.client import Client
from controller.api.device_bisection import bisect_on_device
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
from controller.model.view import ResultQuery
from jetfleet.blobs import sha256_file
from testing.processes import AgentProcess, ControllerProcess, wait_online
from tests.cli.conftest import Command

NODE = helper.make_node
SHAPE = (2, 4)
X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(SHAPE)
# A row of sines and cosines beside a branch of its own: nothing that a builder would fold, and order hides the branch.
NODES = [
    NODE("Sin", ["x"], ["a"], name="first"),
    NODE("Cos", ["x"], ["p"], name="aside"),
    NODE("Mul", ["a", "factor"], ["b"], name="scaled"),
    NODE("Tanh", ["p"], ["q"], name="beside"),
    NODE("Cos", ["b"], ["c"], name="third"),
    NODE("Sin", ["q"], ["r"], name="beside too"),
    NODE("Tanh", ["c"], ["d"], name="fourth"),
    NODE("Add", ["d", "r"], ["y"], name="join"),
]


def graph(path: Path, factor: float) -> Path:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE) for name in ("x", "y")]
    constant = numpy_helper.from_array(np.float32(factor), "factor")
    made = helper.make_graph(NODES, "net", ends[:1], ends[1:], [constant])
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def job(folder: Path, factors: Mapping[Precision, float]) -> tuple[JobSpec, dict[str, Path]]:
    """Each precision with a graph of its own, as if lowering had made another factor of it."""
    files: dict[str, Path] = {}

    def put(role: Role, name: str, path: Path) -> Artifact:
        digest = sha256_file(path)
        files[digest] = path
        return Artifact(role, name, digest, path.stat().st_size)

    fp32 = graph(folder / "model.onnx", 1.5)
    answer = ReferenceEvaluator(str(fp32)).run(None, {"x": X})[0]
    for name, array in (("x", X), ("y", answer)):
        np.save(folder / f"{name}.npy", array)
    references = (
        put(Role.REFERENCE_INPUT, "x", folder / "x.npy"),
        put(Role.REFERENCE_OUTPUT, "y", folder / "y.npy"),
    )
    roles = {Precision.FP32: Role.MODEL_FP32, Precision.FP16: Role.MODEL_FP16}
    variants = tuple(
        Variant(
            key=f"onnxruntime-{precision.value}-b1-cpu",
            runtime="onnxruntime",
            precision=precision,
            batch=1,
            placement="cpu",
            inputs=(TensorSpec("x", "float32", SHAPE),),
            artifacts=(put(roles[precision], "model.onnx", graph(folder / precision.value, factor)), *references),
            check=OutputCheck(CheckRule.COSINE, min_cosine=0.999),
        )
        for precision, factor in factors.items()
    )
    measure, limits = Measure(warmup_s=0.0, min_s=0.05, max_s=0.2, runs=1), Limits(build_s=60, bench_s=60)
    return JobSpec("net", "net", variants, (Target(Quantifier.EVERY),), measure, limits, source="name: net\n"), files


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[tuple[Command, Client]]:
    """A controller with one agent, which runs ONNX Runtime."""
    controller = ControllerProcess(tmp_path / "state")
    agent = AgentProcess(tmp_path / "agent", controller.address, name="board", extra=("--threads", "1"))
    try:
        controller.ready()
        agent.start()
        with Client(controller.address) as client:
            wait_online(client, "board")
            yield Command(tmp_path / "state"), client
    finally:
        agent.kill()
        controller.kill()


@pytest.mark.timeout(300)
def test_the_devices_own_engines_name_the_layer(fleet: tuple[Command, Client], tmp_path: Path) -> None:
    command, client = fleet
    spec, files = job(tmp_path, {Precision.FP32: 1.5, Precision.FP16: 3.0})
    job_id = client.submit_spec(spec, files).job_id
    client.wait(job_id)
    told: list[str] = []
    (item,) = bisect_on_device(client, job_id, "board", progress=told.append)
    found = item.found
    assert found is not None, item.reason
    assert found.first is not None
    assert (item.variant, item.device, item.vanished) == ("onnxruntime-fp16-b1-cpu", "board", ())
    assert (found.first.layer, found.first.op, found.first.passed) == ("scaled", "Mul", False)
    assert [(layer.layer, layer.passed) for layer in found.before] == [("first", True)]
    assert [(layer.tensor, layer.passed) for layer in found.outputs] == [("y", False)]
    assert found.tensors == len(NODES)
    assert len(item.jobs) == len(told) == found.compared < len(NODES), "by halves, and not one by one"
    rows = client.results(ResultQuery(job_ids=item.jobs))
    assert len({row.engine_key for row in rows}) == len(item.jobs), "each probe is a build with a key of its own"
    assert {client.job(probe).labels["bisect"] for probe in item.jobs} == {str(job_id)}

    arguments = ("job", "bisect", str(job_id), "onnxruntime-fp32-b1-cpu", "--on")
    done = command(*arguments, "board", "--json")
    (right,) = json.loads(done.stdout)["bisections"]
    assert (right["device"], right["first"], right["reason"], right["compared"]) == ("board", None, None, 0)
    assert [layer["passed"] for layer in right["outputs"]] == [True]
    refused = command(*arguments, "nowhere")
    assert (refused.returncode, "one of: board" in refused.stderr) == (2, True)


def test_what_cannot_be_built_there_is_a_reason(fleet: tuple[Command, Client], tmp_path: Path) -> None:
    _, client = fleet
    spec, files = job(tmp_path, {Precision.FP32: 1.5, Precision.FP16: 3.0})
    broken = replace(spec.variants[1], options={"threads": "many"})
    job_id = client.submit_spec(replace(spec, variants=(spec.variants[0], broken)), files).job_id
    client.wait(job_id)
    (item,) = bisect_on_device(client, job_id, "board", progress=[].append)
    assert (item.found, item.device, len(item.jobs)) == (None, "board", 1)
    assert "threads" in item.reason
