"""The Python API as a user writes it: a job file, a job, its rows, a frame, a comparison; on a real controller."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.api.discovery import connect
from controller.api.job import Job
from controller.api.results import Results
from controller.model.comparison import Answer, Axis
from controller.model.result import Estimate, Flag, FlagKind, Provenance
from controller.model.task import JobState
from jetfleet.address import STATE_VARIABLE
from jetfleet.errors import BadInput, Infrastructure, NotFound
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job
from testing.measurements import row
from testing.processes import AgentProcess, ControllerProcess, wait_online

StartAgent = Callable[..., AgentProcess]


@pytest.fixture
def board(start_agent: StartAgent, client: Client) -> AgentProcess:
    agent = start_agent("board", facts=simulated_board(sku="orin-nano-8gb"))
    wait_online(client, "board")
    return agent


def submitted(client: Client, folder: Path, **options: str) -> Job:
    spec, files = simulated_job(folder, options=options)
    return client.submit_spec(spec, files)


def test_a_job_is_followed_and_compared_through_its_object(client: Client, board: AgentProcess, tmp_path: Path) -> None:
    first = submitted(client, tmp_path / "a")
    second = submitted(client, tmp_path / "b", latency_ms="9")
    assert (first.id, first.job_id, len(first.tasks)) == (first.id, first.id, 2)
    for job in (first, second):
        assert job.wait().state is JobState.SUCCEEDED
        assert job.view().done == 2
    assert isinstance(first.results(), Results)
    (frame,) = [first.results().to_pandas()]
    assert frame[["job_id", "provenance", "fact.sku"]].values.tolist() == [[first.id, "SIMULATED", "orin-nano-8gb"]]

    compared = first.compare(second)
    assert (compared.by, compared.baseline) == (Axis.JOB, str(first.id))
    (item,) = compared.comparisons
    assert item.row.job_id == second.id
    assert item.row.measurement.provenance is Provenance.SIMULATED
    assert item.answer is Answer.SLOWER
    assert client.compare([first, second.id], by="job", baseline=str(second.id)).comparisons[0].answer is Answer.FASTER


def test_mistakes_are_said(client: Client, board: AgentProcess, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="4711"):
        client.compare([4711])
    job = submitted(client, tmp_path / "a")
    with pytest.raises(BadInput, match="not an axis"):
        client.compare([job], by="colour")
    spec, files = simulated_job(tmp_path / "dry")
    dry = client.submit_spec(spec, files, validate_only=True)
    assert dry.id == 0
    for call in (dry.wait, dry.view, dry.results, dry.cancel):
        with pytest.raises(BadInput, match="dry run"):
            call()
    assert job.cancel().id == job.id


def test_a_job_file_is_prepared_and_submitted(
    controller: ControllerProcess, board: AgentProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx
    from onnx import TensorProto, helper

    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "twice", values[:1], values[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(made, str(tmp_path / "model.onnx"))
    (tmp_path / "job.yaml").write_text(
        "apiVersion: jetfleet/v1\nname: twice\nmodel: {onnx: model.onnx}\nvariants: {runtime: [simulated]}\n"
        "measure: {runs: 2, warmup_s: 0.05, seconds: 0.2, max_seconds: 2}\n"
    )
    monkeypatch.setenv(STATE_VARIABLE, str(controller.state_dir))
    said: list[str] = []
    with connect(on_message=said.append) as client:
        dry = client.submit_file(tmp_path / "job.yaml", validate_only=True)
        assert (dry.id, client.jobs()) == (0, [])
        job = client.submit_file(str(tmp_path / "job.yaml"), idempotency_key="once", labels={"commit": "1a2b"})
        assert job.wait().state is JobState.SUCCEEDED
        assert [found.variant_key for found in job.results()] == ["simulated-fp32-b1-cpu"]
        assert [found.labels for found in job.results()] == [{"commit": "1a2b"}]


def test_a_frame_has_a_column_for_every_fact_and_no_invented_number() -> None:
    first = row(p99_ms=Estimate(None, reason="few"), flags=(Flag(FlagKind.UNSTABLE, "why"),))
    frame = Results([first, replace(first, facts={"power_mode": "15W"})]).to_pandas()
    assert list(frame["p50_ms"]) == [14.7213, 14.7213]
    assert frame["p99_ms"].isna().all()
    assert list(frame["p99_ms_reason"]) == ["few", "few"]
    assert list(frame["flags"]) == ["UNSTABLE: why"] * 2
    assert list(frame["fact.cpu_isa"].fillna("?")) == ["avx2 fma", "?"]
    assert list(frame["fact.power_mode"].fillna("?")) == ["?", "15W"]
    assert list(Results().to_pandas().columns)[:2] == ["measurement_id", "task_id"]


def test_without_pandas_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(Infrastructure, match="pip install pandas"):
        Results().to_pandas()


def test_a_job_says_why_it_is_slow_and_where_it_leaves_fp32(client: Client, board: AgentProcess) -> None:
    quick = {"runs": 1, "warmup_s": 0, "seconds": 0.05}
    job = client.submit("examples/onnx/model.onnx", runtime="simulated", measure=quick)
    job.wait()
    (explained,) = job.slow()
    assert (explained.row.job_id, client.slow(job)) == (job.id, [explained])
    with pytest.raises(NotFound, match="no results of nobody"):
        job.slow("nobody")
    for ask in (job.bisect, lambda **options: client.bisect(job.id, **options)):
        with pytest.raises(BadInput, match="no variant in fp16 or int8"):
            ask()
        with pytest.raises(BadInput, match="no variant in fp16 or int8"):
            ask(on="board")
