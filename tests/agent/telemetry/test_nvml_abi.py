"""NVML through ctypes, against a library whose structures a C compiler laid out as nvml.h has them."""

import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.device.nvml_gpu import NvmlGpu

ADDRESS = "0000:01:00.0"


@pytest.fixture
def gpu(tmp_path: Path) -> Iterator[NvmlGpu]:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler for the library")
    library = tmp_path / "libnvidia-ml.so.1"
    source = Path(__file__).with_name("nvml.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    found = NvmlGpu.open(ADDRESS, load=lambda name: ctypes.CDLL(str(library)))
    assert found is not None
    with closing(found):
        yield found


def test_every_value_is_read_from_where_the_library_writes_it(gpu: NvmlGpu) -> None:
    assert gpu.power_now_w() == 312.5
    assert gpu.mean_power_w() == 300
    assert gpu.energy_j() == 5e9, "a counter of 64 bits"
    assert gpu.celsius() == 47
    assert (gpu.clock_hz(), gpu.memory_clock_hz()) == (1_980_000_000, 3_201_000_000)
    assert gpu.load_percent() == 97
    reasons = gpu.slowed()
    assert reasons is not None
    assert gpu.words_of(reasons) == ["power cap", "thermal slowdown"]


def test_loads_of_processes_are_new_ones_alone(gpu: NvmlGpu) -> None:
    assert gpu.loads_of_processes() == {4321: 37, 1234: 60}
    assert gpu.loads_of_processes() == {}, "what was told before is not told again"
