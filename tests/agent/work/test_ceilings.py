"""What a GPU reaches at best: copies and products on a fake one, in the type that really ran, and kept while true."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.child_env import CACHE_VARIABLE
from agent.runtime.base import Ceilings, DeviceFault
from agent.runtime.gpu.copies import copy_bytes, copy_gb_per_s
from agent.runtime.product_graph import operations
from agent.runtime.simulated import SimulatedRuntime
from agent.runtime.tensorrt.runtime import TensorRt
from agent.work.ceilings import measure_gpu
from agent.work.kept_ceilings import conditions, gpu_ceilings
from jetfleet.v1.task_pb2 import PRECISION_FP16, PRECISION_FP32, PRECISION_INT8, Subject
from tests.agent.fake_runtime import FakeRuntime
from tests.agent.tensorrt.fake import Board, FakeTensorRt
from tests.agent.tensorrt.fake_gpu import BoardCuda

SIDE = 64
ONE_MS = operations(SIDE) / 1e6  # of the fake engine's millisecond, in billions a second
IN_HALF = json.dumps(
    {"Layers": [{"Name": "p", "LayerType": "gemm", "Inputs": [{"Name": "x", "Format/Datatype": "Half"}]}]}
)


class SmallCuda(BoardCuda):
    def memory(self) -> tuple[int, int]:
        return 128 << 20, 256 << 20


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[..., TensorRt]:
    """A made-up TensorRT whose engines take a millisecond."""

    def made(**fields: Any) -> TensorRt:
        board = Board(inputs=[("x", (SIDE, SIDE))], **fields)
        board.cuda = SmallCuda()
        monkeypatch.setattr("agent.runtime.gpu.cuda.Cuda.open", lambda wait="block": board.cuda)
        monkeypatch.setattr("agent.runtime.tensorrt.runtime.open_cuda", lambda: board.cuda)
        monkeypatch.setattr("agent.work.kept_ceilings.is_usable", lambda: True)
        monkeypatch.setattr("agent.work.ceilings._LOOK_S", 0.0)
        monkeypatch.setattr("agent.work.ceilings._BOARDS_SIDE", SIDE)  # the fake GPU has 8 multiprocessors
        return TensorRt(FakeTensorRt(board))

    return made


def test_a_copy_counts_what_is_read_and_what_is_written() -> None:
    cuda = SmallCuda()
    cuda.copy_across_ms = 2.0
    nbytes = copy_bytes(cuda)
    assert nbytes == 8 << 20  # a sixteenth of what is free
    assert copy_gb_per_s(cuda, nbytes) == pytest.approx(2 * nbytes / 2.0e-3 / 1e9)
    assert cuda.log.count("free") == 2


def test_a_device_without_room_says_so_and_keeps_nothing() -> None:
    cuda = SmallCuda(allocations=1)
    with pytest.raises(MemoryError):
        copy_gb_per_s(cuda, 8 << 20)
    assert cuda.log.count("free") == 1


def test_a_clock_that_stands_still_is_a_fault() -> None:
    cuda = SmallCuda()
    cuda.copy_across_ms = 0.0
    with pytest.raises(DeviceFault, match="took no time"):
        copy_gb_per_s(cuda, 8 << 20)


def test_products_are_built_and_run_by_the_runtime_in_the_precision_asked_for(
    on_gpu: Callable[..., TensorRt], tmp_path: Path
) -> None:
    for precision, fields, metric in (
        (PRECISION_FP32, {}, "matmul_gflop_per_s"),
        (PRECISION_FP16, {"input_type": "HALF", "layers_json": IN_HALF}, "matmul_fp16_gflop_per_s"),
        (PRECISION_INT8, {}, "matmul_int8_gop_per_s"),
    ):
        found = measure_gpu(on_gpu(**fields), precision, tmp_path)
        assert set(found.rates) == {metric, "copy_gb_per_s"}
        assert found.rates[metric] == pytest.approx(ONE_MS)
        assert "by tensorrt 10.3.0" in found.how
        assert "by CUDA events" in found.how
    assert list(tmp_path.iterdir()) == [], "graphs and engines of products are large"


def test_a_type_that_did_not_run_names_no_rate(on_gpu: Callable[..., TensorRt], tmp_path: Path) -> None:
    """Asked for int8, the engine computed in half; half's graph this TensorRT does not take; float32's it does."""
    found = measure_gpu(on_gpu(layers_json=IN_HALF), PRECISION_INT8, tmp_path)
    assert set(found.rates) == {"matmul_gflop_per_s", "copy_gb_per_s"}
    assert "no int8 products: asked int8: 1 of 1 compute nodes ran in float16" in found.how
    assert "no fp16 products" in found.how


def subject(placement: str = "gpu") -> Subject:
    return Subject(runtime="tensorrt", precision=PRECISION_FP32, placement=placement)


def test_only_what_runs_on_a_gpu_is_held_against_one(on_gpu: Callable[..., TensorRt], tmp_path: Path) -> None:
    runtime = on_gpu()
    for placement in ("cpu", "dla0", "gpu+dla0"):
        assert gpu_ceilings(runtime, subject(placement), tmp_path, may_keep=True, env={}) is None
    assert gpu_ceilings(SimulatedRuntime(), subject(), tmp_path, may_keep=True, env={}) is None
    assert gpu_ceilings(FakeRuntime(), subject("cpu"), tmp_path, may_keep=True, env={}) is None


@pytest.fixture
def measured(on_gpu: Callable[..., TensorRt], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Ceilings by a folder that keeps them, and how often they were measured so far."""
    runtime, count = on_gpu(), [0]
    (root := tmp_path / "root").mkdir()

    def measure(*arguments: Any) -> Ceilings:
        count[0] += 1
        return Ceilings({"copy_gb_per_s": 100.0 + count[0]}, "measured")

    monkeypatch.setattr("agent.work.kept_ceilings.measure_gpu", measure)

    def ask(*, may_keep: bool = True) -> tuple[float, int]:
        env = {CACHE_VARIABLE: str(tmp_path / "cache")}
        found = gpu_ceilings(runtime, subject(), tmp_path, may_keep=may_keep, root=root, env=env)
        assert found is not None
        return found.rates["copy_gb_per_s"], count[0]

    return ask


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_they_are_kept_until_power_mode_clocks_or_boot_change(measured: Callable[..., Any], tmp_path: Path) -> None:
    assert measured() == (101.0, 1)
    assert measured() == (101.0, 1)
    gpu = tmp_path / "root/sys/class/devfreq/17000000.gpu"
    for name, hz in (("min", 306_000_000), ("max", 1_300_500_000), ("cur", 306_000_000)):
        write(gpu / f"{name}_freq", str(hz))
    assert measured() == (102.0, 2)
    write(gpu / "cur_freq", "1300500000")  # where a free clock stands is not a setting
    assert measured() == (102.0, 2)
    write(gpu / "min_freq", "1300500000")
    assert measured() == (103.0, 3)
    write(tmp_path / "root/etc/nvpmodel.conf", "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=1 NAME=15W >\n")
    write(tmp_path / "root/var/lib/nvpmodel/status", "pmode:0001")
    assert measured() == (104.0, 4)
    write(tmp_path / "root/proc/sys/kernel/random/boot_id", "another")
    assert measured() == (105.0, 5)
    write(gpu / "min_freq", "306000000")
    assert measured() == (106.0, 6)
    write(gpu / "min_freq", "1300500000")
    assert measured() == (105.0, 6), "those of before are still known"


def test_what_a_throttled_device_reached_is_not_kept(measured: Callable[..., Any]) -> None:
    assert measured(may_keep=False) == (101.0, 1)
    assert measured() == (102.0, 2)


def test_a_damaged_or_old_file_is_measured_again(measured: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "cache/ceilings.json"
    before = measured()
    assert before == (101.0, 1)
    kept = path.read_text()
    damages = (
        *("{", "[]", "[" * 100_000, " " * (1 << 20) + kept),
        *(kept.replace("101.0", rate) for rate in ("NaN", "Infinity", "-1", "0", '"x"', "[]")),
        *(kept.replace(name, "x") for name in ('"rates"', "copy_gb_per_s", '"at_s"')),
    )
    for damage in damages:
        path.write_text(damage)
        times = before[1]
        before = measured()
        assert before[1] == times + 1, damage[:80]
        assert measured() == before
    entries = json.loads(path.read_text())
    for entry in entries.values():
        entry["at_s"] = time.clock_gettime(time.CLOCK_BOOTTIME) - 86_401
    path.write_text(json.dumps(entries))
    assert measured()[1] == before[1] + 1


def test_conditions_tell_device_runtime_precision_mode_and_clocks(
    on_gpu: Callable[..., TensorRt], tmp_path: Path
) -> None:
    told = conditions(on_gpu(), PRECISION_FP16, tmp_path)
    for part in ("runtime tensorrt 10.3.0", "PRECISION_FP16", "power mode unknown", "GPU clock unknown"):
        assert part in told


def test_what_cuda_says_is_what_is_raised(on_gpu: Callable[..., TensorRt], tmp_path: Path) -> None:
    runtime = on_gpu()
    runtime.trt.board.cuda = None

    def fails(wait: str = "block") -> Any:
        raise DeviceFault("CUDA does not start")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agent.runtime.gpu.cuda.Cuda.open", fails)
        with pytest.raises(DeviceFault, match="does not start"):
            measure_gpu(runtime, PRECISION_FP32, tmp_path)
