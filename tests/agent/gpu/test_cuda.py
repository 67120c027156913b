"""The CUDA context on a fake pycuda: what is retained, pushed and popped, and what each way of failing is called."""

import ctypes
import sys
from threading import Thread

import numpy as np
import pytest

from agent.runtime.base import DeviceFault
from agent.runtime.gpu.cuda import Cuda, DeviceBuffer, is_usable
from agent.runtime.gpu.graphs import CaptureFailed
from tests.agent.gpu.fakepycuda import Error, FakeDriver, FakeGraphs, OutOfMemory, install

# pycuda pushes a context to detach it, and leaves it there.
GIVEN_BACK = ("pop", "detach", "pop what detach pushed")


@pytest.mark.parametrize(("wait", "schedule", "event"), [("block", 4, 1), ("spin", 1, 0)])
def test_the_primary_context_is_retained_pushed_and_popped_once(
    monkeypatch: pytest.MonkeyPatch, wait: str, schedule: int, event: int
) -> None:
    driver = FakeDriver()
    install(monkeypatch, driver)
    cuda = Cuda.open(wait=wait)
    cuda.event()
    cuda.close()
    cuda.close()
    assert driver.log == [f"schedule 0 {schedule}", "retain", "push", f"event {event}", *GIVEN_BACK]


def test_what_the_device_is(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeDriver(integrated=True))
    cuda = Cuda.open()
    assert (cuda.name, cuda.compute_capability, cuda.sm_count, cuda.integrated) == ("Orin", "8.7", 8, True)
    assert cuda.memory() == (1 << 30, 8 << 30)
    assert cuda.stream().handle == 4711
    cuda.close()


@pytest.mark.parametrize(
    ("integrated", "capability", "coherent"),
    [(True, (8, 7), True), (True, (7, 2), True), (True, (11, 0), True), (True, (6, 2), False), (False, (9, 0), False)],
)
def test_only_an_integrated_gpu_with_coherent_caches_works_on_host_memory(
    monkeypatch: pytest.MonkeyPatch, integrated: bool, capability: tuple[int, int], coherent: bool
) -> None:
    install(monkeypatch, FakeDriver(integrated=integrated, capability=capability))
    cuda = Cuda.open()
    assert cuda.coherent is coherent
    cuda.close()


@pytest.mark.parametrize(("shape", "nbytes"), [((2, 3), 12), ((), 2), ((0, 4), 1)])
def test_pinned_memory_is_zeroed_and_knows_its_address_on_the_device(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], nbytes: int
) -> None:
    driver = FakeDriver()
    install(monkeypatch, driver)
    cuda = Cuda.open()
    array = cuda.pinned(shape, "float16")
    assert (array.shape, array.dtype) == (shape, np.float16)
    assert not array.any()
    assert cuda.mapped(array) == cuda.mapped(array.reshape(-1)) == 0xD0000000
    assert driver.log[-1] == f"pinned {nbytes} 2"
    cuda.close()


@pytest.mark.parametrize(
    "words", ["cuInit failed: no CUDA-capable device is detected", "cuInit failed: CUDA driver version is insufficient"]
)
def test_cuda_that_does_not_start_is_a_device_fault_with_a_fix(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    install(monkeypatch, FakeDriver(broken=words))
    with pytest.raises(DeviceFault, match=words) as caught:
        Cuda.open()
    assert "--runtime nvidia" in caught.value.hint
    assert not is_usable()


def test_a_device_that_is_not_there_is_a_device_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeDriver())
    assert is_usable()
    with pytest.raises(DeviceFault, match="invalid device ordinal"):
        Cuda.open(1)


def test_without_pycuda_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    with pytest.raises(DeviceFault, match="pycuda does not import") as caught:
        Cuda.open()
    assert "extra 'cuda'" in caught.value.hint
    assert not is_usable()


def test_a_missing_driver_library_is_not_blamed_on_pycuda(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError("libcuda.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr("importlib.import_module", absent)
    with pytest.raises(DeviceFault, match=r"libcuda\.so\.1") as caught:
        Cuda.open()
    assert "--runtime nvidia" in caught.value.hint


def test_what_pycuda_raises_is_memory_or_a_device_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeDriver())
    cuda = Cuda.open()
    full = cuda.fault(OutOfMemory("cuMemAlloc failed: out of memory"))
    assert isinstance(full, MemoryError)
    assert "1024 of 8192 MiB are free" in str(full)
    assert isinstance(cuda.fault(Error("cuEventSynchronize failed: unspecified launch failure")), DeviceFault)
    assert issubclass(OutOfMemory, cuda.failures)
    cuda.close()


def test_a_graph_is_captured_in_this_thread_alone_and_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = FakeGraphs()
    install(monkeypatch, FakeDriver(), graphs)
    cuda = Cuda.open()
    graph = cuda.capture(cuda.stream(), lambda: graphs.log.append("enqueue"))
    graph.launch()
    graph.close()
    wanted = ["begin", "enqueue", "end", "instantiate", "destroy", "launch", "destroy executable"]
    assert graphs.log == wanted
    cuda.close()


@pytest.mark.parametrize(
    ("refuses", "log"),
    [
        ("begin", ["begin"]),
        ("end", ["begin", "end"]),
        ("instantiate", ["begin", "end", "instantiate", "destroy"]),
    ],
)
def test_a_capture_that_fails_says_so_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, refuses: str, log: list[str]
) -> None:
    graphs = FakeGraphs(refuses)
    install(monkeypatch, FakeDriver(), graphs)
    cuda = Cuda.open()
    with pytest.raises(CaptureFailed, match="STREAM_CAPTURE_UNSUPPORTED"):
        cuda.capture(cuda.stream(), lambda: None)
    assert graphs.log == log
    cuda.close()


def test_work_that_refuses_to_be_captured_ends_the_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    def enqueue() -> None:
        raise DeviceFault("operation not permitted when stream is capturing")

    graphs = FakeGraphs()
    install(monkeypatch, FakeDriver(), graphs)
    cuda = Cuda.open()
    with pytest.raises(CaptureFailed, match="not permitted"):
        cuda.capture(cuda.stream(), enqueue)
    assert graphs.log == ["begin", "end"]
    cuda.close()


def test_a_graph_that_is_not_launched_is_a_device_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeDriver(), FakeGraphs("launch"))
    cuda = Cuda.open()
    graph = cuda.capture(cuda.stream(), lambda: None)
    with pytest.raises(DeviceFault, match="CUDA_ERROR"):
        graph.launch()
    cuda.close()


def test_a_driver_without_graphs_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeDriver())
    library = ctypes.CDLL("libcuda.so.1")
    del library.cuGraphInstantiateWithFlags
    cuda = Cuda.open()
    with pytest.raises(CaptureFailed, match="cuGraphInstantiateWithFlags"):
        cuda.capture(cuda.stream(), lambda: None)
    cuda.close()


def test_at_exit_only_the_main_threads_context_is_popped(monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[object] = []
    monkeypatch.setattr("atexit.register", registered.append)
    install(monkeypatch, FakeDriver())
    opened: list[Cuda] = []
    thread = Thread(target=lambda: opened.append(Cuda.open()))
    thread.start()
    thread.join()
    assert registered == []
    opened.append(Cuda.open())
    assert registered == [opened[1].close]


def test_a_copy_within_the_device_is_put_on_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = FakeDriver()
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(driver, "memcpy_dtod_async", lambda *arguments: asked.append(arguments), raising=False)
    install(monkeypatch, driver)
    cuda = Cuda.open()
    stream = cuda.stream()
    cuda.copy_across(DeviceBuffer(1, 16), DeviceBuffer(2, 16), stream)
    assert asked == [(1, 2, 16, stream.raw)], "to, from, how many bytes: pycuda's order"
    cuda.close()
