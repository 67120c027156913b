"""The GPU session on a fake GPU: what it asks for in which order, what it says of time, what it does when it fails."""

from typing import Any

import numpy as np
import pytest

from agent.runtime.base import DeviceFault
from agent.runtime.gpu.options import GpuOptions
from agent.runtime.gpu.session import GpuSession
from agent.work.measure import MeasureLimits, measure_alone
from agent.work.summary import summarise
from jetfleet.errors import BadInput
from jetfleet.metrics import STAGES
from jetfleet.option_kinds import Audience
from jetfleet.options import read_options
from tests.agent.gpu.fakes import DoublingEngine, FakeCuda, FakeEvent, FakeFailure

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def opened(cuda: FakeCuda, options: GpuOptions | None = None, **engine: Any) -> GpuSession:
    stream = cuda.stream()
    return GpuSession(DoublingEngine(cuda, stream, **engine), cuda, options, stream=stream)


def silent(phase: str, fraction: float | None, detail: str) -> None: ...


def test_outputs_are_the_last_inferences_in_the_engines_order_and_copies() -> None:
    session = opened(FakeCuda())
    session.bind({"x": X})
    session.infer()
    first = session.outputs()
    assert list(first) == ["y", "n"]
    assert np.array_equal(first["y"], 2 * X)
    session.bind({"x": X + 1})
    session.infer()
    assert np.array_equal(session.outputs()["y"], 2 * X + 2)
    assert np.array_equal(first["y"], 2 * X)
    session.close()


def test_one_inference_is_copies_work_copies_between_four_events_and_one_wait() -> None:
    cuda = FakeCuda()
    session = opened(cuda)
    session.bind({"x": X})
    cuda.log.clear()
    session.infer()
    copies_out = ["copy out", "copy out"]
    assert cuda.log == ["event", "copy in", "event", "enqueue", "event", *copies_out, "event", "wait"]


def test_stages_are_what_the_device_took_and_add_up_to_the_latency() -> None:
    session = opened(FakeCuda(), takes_ms=1.5)
    session.bind({"x": X})
    session.infer()
    session.prepare(3)
    for _ in range(3):
        session.infer()
    found = session.collect()
    assert found.latency_ms is not None
    assert {name: list(values) for name, values in found.stages_ms.items() if name != "enqueue"} == {
        "h2d": [0.25] * 3,
        "compute": [1.5] * 3,
        "d2h": [0.25] * 3,  # of two outputs
    }
    assert list(found.latency_ms) == [2.0] * 3
    enqueue = found.stages_ms["enqueue"]
    assert len(enqueue) == 3
    assert (enqueue >= 0).all()


def test_nothing_is_made_between_prepare_and_collect_and_events_are_used_again() -> None:
    cuda = FakeCuda()
    session = opened(cuda)
    session.bind({"x": X})
    session.prepare(10)
    made = cuda.events
    for _ in range(10):
        session.infer()
    assert cuda.events == made
    session.collect()
    session.prepare(8)
    assert cuda.events == made


def test_fewer_or_more_inferences_than_prepared() -> None:
    session = opened(FakeCuda())
    session.bind({"x": X})
    for inferences, collected in ((0, 0), (2, 2), (5, 4)):
        session.prepare(4)
        for _ in range(inferences):
            session.infer()
        found = session.collect()
        assert [len(values) for values in found.stages_ms.values()] == [collected] * 4


def test_the_measuring_loop_believes_the_device_and_keeps_the_wall_clock() -> None:
    session = opened(FakeCuda(), takes_ms=1.5)
    session.bind({"x": X})
    found = summarise(measure_alone(session, MeasureLimits(0.0, 0.01, 0.05), silent), 1)
    assert found.metrics["p50_ms"].value == 2.0
    mean = {stage: found.metrics[f"{stage}_mean_ms"].value for stage in STAGES}
    assert mean["h2d"] + mean["compute"] + mean["d2h"] + mean["residual"] == pytest.approx(mean["e2e"])


def test_where_memory_is_shared_nothing_is_copied_and_it_says_so() -> None:
    cuda = FakeCuda(coherent=True)
    session = opened(cuda, GpuOptions(zero_copy=True))
    assert cuda.log == ["mapped"] * 3
    session.bind({"x": X})
    cuda.log.clear()
    session.prepare(1)
    session.infer()
    assert cuda.log == ["event", "enqueue", "event", "wait"]
    assert np.array_equal(session.outputs()["y"], 2 * X)
    found = session.collect()
    assert [list(found.stages_ms[name]) for name in ("h2d", "compute", "d2h")] == [[0.0], [1.5], [0.0]]
    assert found.latency_ms is not None
    assert list(found.latency_ms) == [1.5]
    assert session.describe()["copies"].startswith("zero-copy")
    assert session.describe()["zero_copy"] == "on"


def test_copies_are_made_by_default_and_where_memory_is_not_shared() -> None:
    for cuda, options in ((FakeCuda(coherent=True), GpuOptions()), (FakeCuda(), GpuOptions(zero_copy=True))):
        session = opened(cuda, options)
        assert "mapped" not in cuda.log
        assert session.describe()["zero_copy"] == "off"
    assert "zero-copy" not in session.describe()["copies"]


def test_a_graph_is_captured_once_after_a_plain_inference_and_launched_from_then_on() -> None:
    cuda = FakeCuda()
    session = opened(cuda, GpuOptions(cuda_graph="on"))
    session.bind({"x": X})
    launches = [word for word in cuda.log if word in ("enqueue", "capture", "launch")]
    # A plain one, the capture, and then one without and one with the graph, on these inputs and on others.
    assert launches == ["enqueue", "capture", "enqueue", *("enqueue", "launch") * 2]
    cuda.log.clear()
    for x in (X, X + 1):
        session.bind({"x": x})
        session.infer()
        assert np.array_equal(session.outputs()["y"], 2 * x)
    assert [word for word in cuda.log if word in ("enqueue", "capture", "launch")] == ["launch", "launch"]
    assert session.describe()["cuda_graph"] == "on"
    session.close()
    assert cuda.log.index("graph closed") < cuda.log.index("engine closed")


def test_an_engine_that_cannot_be_captured_runs_as_before_and_says_why() -> None:
    cuda = FakeCuda(capture_fails="operation not permitted when stream is capturing")
    session = opened(cuda, GpuOptions(cuda_graph="on"))
    for x in (X, X + 1):
        session.bind({"x": x})
        session.infer()
        assert np.array_equal(session.outputs()["y"], 2 * x)
    assert cuda.log.count("capture") == 1
    assert "launch" not in cuda.log
    described = session.describe()
    assert described["cuda_graph"] == "off"
    assert described["why_no_cuda_graph"] == ("it cannot be captured: operation not permitted when stream is capturing")


def test_an_engine_whose_graph_answers_otherwise_runs_without_it() -> None:
    """What the host computed while work was recorded would be a constant: it shows on other inputs only."""
    cuda = FakeCuda()
    session = opened(cuda, GpuOptions(cuda_graph="auto"), baked=True)
    for x in (X, X + 1):
        session.bind({"x": x})
        session.infer()
        assert np.array_equal(session.outputs()["y"], 2 * x)
    assert session.describe()["why_no_cuda_graph"] == "its answers are others than without"
    assert cuda.log.count("graph closed") == 1
    assert cuda.log.count("capture") == 1


def test_a_graph_is_not_even_tried_where_something_stands_against_it() -> None:
    for options, why in (
        (GpuOptions(cuda_graph="auto", no_graph="half of it runs elsewhere"), "half of it runs elsewhere"),
        (GpuOptions(cuda_graph="off"), "the job says so"),
    ):
        cuda = FakeCuda()
        session = opened(cuda, options)
        session.bind({"x": X})
        assert "capture" not in cuda.log
        assert (session.describe()["cuda_graph"], session.describe()["why_no_cuda_graph"]) == ("off", why)
    assert GpuOptions(cuda_graph="on", no_graph="whatever").wants_graph


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "no value for input x"),
        ({"x": X[:1]}, r"float32\[1, 3\]"),
        ({"x": X.T}, r"float32\[3, 2\]"),
        ({"x": X.astype(np.float64)}, "float64"),
    ],
)
def test_values_that_do_not_fit_are_bad_input(inputs: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        opened(FakeCuda()).bind(inputs)


def test_values_in_another_order_of_memory_are_copied_right() -> None:
    session = opened(FakeCuda())
    session.bind({"x": np.asfortranarray(X)})
    session.infer()
    assert np.array_equal(session.outputs()["y"], 2 * X)


@pytest.mark.parametrize("error", [FakeFailure("an illegal memory access"), DeviceFault("the engine said no")])
def test_a_failure_in_flight_is_told_as_what_it_is(error: Exception) -> None:
    session = opened(FakeCuda(), fails=error)
    session.bind({"x": X})
    with pytest.raises(DeviceFault, match=str(error)):
        session.infer()


def test_everything_is_freed_before_the_context_goes_and_once() -> None:
    cuda = FakeCuda()
    session = opened(cuda)
    cuda.log.clear()
    session.close()
    session.close()
    assert cuda.log == ["engine closed", "free", "free", "free", "context closed"]


def test_a_session_that_does_not_open_gives_everything_back() -> None:
    cuda = FakeCuda(allocations=1)
    with pytest.raises(MemoryError, match="out of memory"):
        opened(cuda)
    assert cuda.log == ["engine closed", "free", "context closed"]


def test_a_device_that_faults_while_it_closes_still_gives_its_context_back(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(DoublingEngine):
        def close(self) -> None:
            raise FakeFailure("unspecified launch failure")

    cuda = FakeCuda()
    stream = cuda.stream()
    GpuSession(Broken(cuda, stream), cuda, stream=stream).close()
    assert cuda.log[-1] == "context closed"
    assert "unspecified launch failure" in caplog.text


def test_how_it_ran_is_described() -> None:
    described = opened(FakeCuda(), GpuOptions(wait="spin")).describe()
    assert described["gpu"] == "a fake GPU"
    assert (described["wait"], described["cuda_graph"], described["engine"]) == ("spin", "off", "doubles")


def test_options_are_read_and_nonsense_is_refused() -> None:
    def read(options: dict[str, str], runtime: str = "tensorrt") -> GpuOptions:
        return GpuOptions.of(read_options(options, runtime, Audience.GPU_RUN))

    for runtime in ("tensorrt", "tensorrt_rtx", "onnxruntime"):
        assert read({}, runtime) == GpuOptions("block", cuda_graph="auto", zero_copy=False, inflight=1)
    given = {"wait": "spin", "cuda_graph": "on", "zero_copy": "on", "inflight": "2"}
    assert read(given) == GpuOptions("spin", cuda_graph="on", zero_copy=True, inflight=2)
    for name, value in (("wait", "sleep"), ("cuda_graph", "yes"), ("zero_copy", "auto"), ("inflight", "3")):
        with pytest.raises(BadInput, match=value):
            read({name: value})


TWO = GpuOptions(inflight=2)


def test_two_in_flight_the_second_is_enqueued_before_the_first_is_awaited() -> None:
    cuda = FakeCuda()
    session = opened(cuda, TWO)
    session.bind({"x": X})
    session.prepare(3)
    cuda.log.clear()
    for _ in range(3):
        session.infer()
    words = [word for word in cuda.log if word in ("enqueue", "wait")]
    assert words == ["enqueue", "enqueue", "wait", "enqueue", "wait"]
    session.collect()
    assert cuda.log.count("wait") == 3, "what is still in flight is awaited before it is read"


def test_two_in_flight_outputs_and_new_inputs_wait_for_what_is_in_flight() -> None:
    cuda = FakeCuda()
    engine = DoublingEngine(cuda, (stream := cuda.stream()))
    session = GpuSession(engine, cuda, TWO, stream=stream)
    for x in (X, X + 1, X + 2):
        session.bind({"x": x})
        session.infer()
        session.infer()
        assert np.array_equal(session.outputs()["y"], 2 * x)
    session.infer()
    session.bind({"x": -X})
    assert np.array_equal(session.outputs()["y"], 2 * X + 4), "the inference in flight had the inputs of before"
    assert engine.runs == 7
    session.close()


def test_two_in_flight_every_inference_has_its_own_stages_and_wall_clock() -> None:
    session = opened(FakeCuda(), TWO, takes_ms=1.5)
    session.bind({"x": X})
    for count in (1, 2, 5):
        session.prepare(count)
        for _ in range(count):
            session.infer()
        found = session.collect()
        assert found.latency_ms is not None
        assert found.e2e_ms is not None
        assert list(found.latency_ms) == [2.0] * count
        assert list(found.stages_ms["compute"]) == [1.5] * count
        assert len(found.e2e_ms) == count
        assert (found.e2e_ms > 0).all()
    assert opened(FakeCuda()).collect().e2e_ms is None


def test_two_in_flight_each_stage_has_a_stream_as_in_trtexec() -> None:
    """Copies of the next inference overlap with this one's work: two take less than twice as long."""
    cuda = FakeCuda()
    session = opened(cuda, TWO, takes_ms=1.5)
    session.bind({"x": X})
    session.prepare(2)
    session.infer()
    session.infer()
    session.collect()
    (begin, *_), (*_, end) = session._round[:2]
    assert end.ms_since(begin) == 0.25 + 1.5 + 1.5 + 0.25


def test_two_in_flight_a_round_of_one_waits_for_itself() -> None:
    """A model so slow that each inference is a round is timed by the loop: it may not return at once."""
    cuda = FakeCuda()
    session = opened(cuda, TWO)
    session.bind({"x": X})
    session.prepare(1)
    cuda.log.clear()
    session.infer()
    assert cuda.log[-1] == "wait"


def test_two_in_flight_the_loop_takes_the_sessions_wall_clock() -> None:
    session = opened(FakeCuda(), TWO, takes_ms=1.5)
    session.bind({"x": X})
    recording = measure_alone(session, MeasureLimits(0.0, 0.01, 0.05), silent)
    stages = {name: np.concatenate(blocks) for name, blocks in recording.stages.items()}
    assert {len(values) for values in stages.values()} == {recording.n}
    assert np.allclose(stages["latency"] + stages["residual"], stages["e2e"])
    # An inference lasts over two turns of the loop: the sum of wall clocks is more than the loop's own.
    assert stages["e2e"].sum() > recording.window_s * 1e3


def test_two_in_flight_graphs_and_shared_memory_work_too() -> None:
    cuda = FakeCuda(coherent=True)
    session = opened(cuda, GpuOptions(cuda_graph="on", zero_copy=True, inflight=2))
    session.bind({"x": X})
    assert session.describe()["cuda_graph"] == "on"
    session.infer()
    session.infer()
    assert np.array_equal(session.outputs()["y"], 2 * X)
    assert (session.describe()["inflight"], session.describe()["zero_copy"]) == ("2", "on")


def test_two_in_flight_a_fault_of_what_is_awaited_is_told_where_it_is_seen() -> None:
    session = opened(FakeCuda(), TWO)
    session.bind({"x": X})
    session.infer()

    class Broken(FakeEvent):
        def wait(self) -> None:
            raise FakeFailure("unspecified launch failure")

    session._awaited = Broken()
    with pytest.raises(DeviceFault, match="unspecified launch failure"):
        session.outputs()
    session.close()
