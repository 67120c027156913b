"""The drivers asked through ctypes for real, with a simulated libcuda and libnvidia-ml behind them."""

import ctypes
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.device.cudadriver import CudaDriver, CudaError
from agent.device.gpu import Gpu, read_gpu

Load = Callable[[str], ctypes.CDLL]


@pytest.fixture
def load(library: Path) -> Load:
    return lambda name: ctypes.CDLL(str(library))


def without(load: Load, missing: str) -> Load:
    def guarded(name: str) -> ctypes.CDLL:
        if missing in name:
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")
        return load(name)

    return guarded


DISCRETE = Gpu("NVIDIA Simulated", "8.7", 14, False, 6 << 30, "560.35.03", "12.6")


def test_a_discrete_gpu(load: Load) -> None:
    assert read_gpu(load) == DISCRETE


def test_an_integrated_gpu_is_not_looked_up_in_nvml(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_INTEGRATED", "1")
    found = read_gpu(load)
    assert (found.name, found.integrated, found.sm_count, found.driver) == ("Simulated GPU", True, 14, "560.35.03")


@pytest.mark.parametrize("missing", ["nvidia-ml", None])
def test_cuda_without_nvml(load: Load, monkeypatch: pytest.MonkeyPatch, missing: str | None) -> None:
    """Absent, or answering that it does not support this GPU, as on an Orin."""
    if missing is None:
        monkeypatch.setenv("FAKE_NVML_INIT", "3")
    found = read_gpu(without(load, missing) if missing else load)
    assert found == Gpu("Simulated GPU", "8.7", 14, False, 6_000_000_000, None, "12.6")


@pytest.mark.parametrize("variable", ["FAKE_CUDA_INIT=100", "FAKE_CUDA_COUNT=0", None])
def test_a_gpu_that_cuda_cannot_use_is_none(load: Load, monkeypatch: pytest.MonkeyPatch, variable: str | None) -> None:
    if variable is not None:
        monkeypatch.setenv(*variable.split("="))
    found = read_gpu(load if variable else without(load, "libcuda"))
    assert found == Gpu(driver="560.35.03")


def test_no_driver_at_all() -> None:
    def nothing(name: str) -> ctypes.CDLL:
        raise OSError(f"{name}: not found")

    assert read_gpu(nothing) == Gpu()


@pytest.mark.parametrize(("code", "told"), [("100", "cuInit failed: CUDA_ERROR_NO_DEVICE"), ("999", "error 999")])
def test_the_drivers_own_word_is_told(load: Load, monkeypatch: pytest.MonkeyPatch, code: str, told: str) -> None:
    monkeypatch.setenv("FAKE_CUDA_INIT", code)
    with pytest.raises(CudaError, match=told):
        CudaDriver(load)


def test_memory_that_forgets_is_noticed(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    CudaDriver(load).exercise()
    monkeypatch.setenv("FAKE_FORGETS", "1")
    with pytest.raises(CudaError, match="did not come back"):
        CudaDriver(load).exercise()
