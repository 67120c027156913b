"""A discrete GPU's application clocks: NVML's library is a stand-in, its calls are the real ones."""

import ctypes
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent.helper.gpus import ApplicationClocks, GpuClocksRefused

NOT_SUPPORTED, NO_PERMISSION = 3, 4


@dataclass
class FakeNvml:
    """As far as application clocks go; `clocks` are memory's and graphics' of each GPU, in MHz."""

    clocks: list[list[int]] = field(default_factory=lambda: [[2619, 1200]])
    refuses: int = 0
    stays: bool = True

    def nvmlInit_v2(self) -> int:
        return 0

    def nvmlShutdown(self) -> int:
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        count._obj.value = len(self.clocks)
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, handle: Any) -> int:
        handle._obj.value = index + 1
        return 0

    def nvmlDeviceGetPciInfo_v3(self, handle: ctypes.c_void_p, info: Any) -> int:
        info._obj.address = f"0000:{handle.value:02d}:00.0".encode()
        return 0

    def nvmlDeviceGetApplicationsClock(self, handle: ctypes.c_void_p, kind: int, mhz: Any) -> int:
        if self.refuses == NOT_SUPPORTED:
            return NOT_SUPPORTED
        mhz._obj.value = self.clocks[(handle.value or 0) - 1][0 if kind == 2 else 1]
        return 0

    def nvmlDeviceGetMaxClockInfo(self, handle: ctypes.c_void_p, kind: int, mhz: Any) -> int:
        mhz._obj.value = 3201 if kind == 2 else 1980
        return 0

    def nvmlDeviceSetApplicationsClocks(self, handle: ctypes.c_void_p, memory: int, graphics: int) -> int:
        if not self.refuses and self.stays:
            self.clocks[(handle.value or 0) - 1] = [memory, graphics]
        return self.refuses


def clocks(library: FakeNvml, root: Path) -> ApplicationClocks:
    return ApplicationClocks(root, load=lambda name: library)


def test_they_are_set_to_the_most_and_put_back(tmp_path: Path) -> None:
    library = FakeNvml()
    gpu = clocks(library, tmp_path)
    before = gpu.read()
    assert before == (("0000:01:00.0", 2619, 1200),)
    assert gpu.lock()
    assert library.clocks == [[3201, 1980]]
    assert gpu.restore(before) == []
    assert library.clocks == [[2619, 1200]]


@pytest.mark.parametrize(
    ("library", "why"),
    [
        (FakeNvml(refuses=NO_PERMISSION), "more rights"),
        (FakeNvml(refuses=NOT_SUPPORTED), "no application clocks"),
        (FakeNvml(refuses=999), "code 999"),
        (FakeNvml(stays=False), "did not stay"),
        (FakeNvml(clocks=[[1, 1], [1, 1]]), "there are 2 GPUs"),
    ],
)
def test_what_is_refused_is_told(tmp_path: Path, library: FakeNvml, why: str) -> None:
    with pytest.raises(GpuClocksRefused, match=why):
        clocks(library, tmp_path).lock()


def test_one_that_cannot_be_put_back_is_named(tmp_path: Path) -> None:
    library = FakeNvml()
    gpu = clocks(library, tmp_path)
    before = gpu.read()
    gpu.lock()
    library.refuses = NO_PERMISSION
    assert gpu.restore(before) == ["application clocks of GPU 0000:01:00.0"]
    assert gpu.restore((("0000:09:00.0", 1, 1),)) == ["application clocks of GPU 0000:09:00.0"]


def test_a_machine_without_nvml_has_none(tmp_path: Path) -> None:
    def load(name: str) -> Any:
        raise OSError(name)

    gpu = ApplicationClocks(tmp_path, load=load)
    assert (gpu.read(), gpu.lock(), gpu.restore(())) == ((), False, [])
