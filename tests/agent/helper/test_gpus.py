"""A discrete GPU's application clocks: NVML's library is a stand-in, its calls are the real ones."""

import ctypes
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent.helper.board import Board
from agent.helper.gpus import GpuClocksRefused, NvmlClocks, is_administrator
from agent.helper.note import NoteFile
from agent.helper.settings import HeldSettings

NOT_SUPPORTED, NO_PERMISSION = 3, 4


@dataclass
class FakeNvml:
    """As far as application clocks go; `clocks` are memory's and graphics' of each GPU, in MHz."""

    clocks: list[list[int]] = field(default_factory=lambda: [[2619, 1200]])
    refuses: int = 0
    stays: bool = True
    locked: list[int] = field(default_factory=list)  # memory's and graphics', where it has no application clocks
    set_by_somebody: bool = False

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

    def nvmlDeviceGetClockInfo(self, handle: ctypes.c_void_p, kind: int, mhz: Any) -> int:
        mhz._obj.value = 1200
        return 0

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: ctypes.c_void_p, reasons: Any) -> int:
        reasons._obj.value = 0x2 if self.set_by_somebody or self.locked else 0x1
        return 0

    def nvmlDeviceSetGpuLockedClocks(self, handle: ctypes.c_void_p, least: int, most: int) -> int:
        assert least == most
        self.locked = [0, most]
        return 0

    def nvmlDeviceSetMemoryLockedClocks(self, handle: ctypes.c_void_p, least: int, most: int) -> int:
        self.locked[0] = most
        return 0

    def nvmlDeviceResetMemoryLockedClocks(self, handle: ctypes.c_void_p) -> int:
        return 0

    def nvmlDeviceResetGpuLockedClocks(self, handle: ctypes.c_void_p) -> int:
        self.locked = []
        return 0


class OldNvml(FakeNvml):
    """Of a driver that knows no locked clocks."""

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("nvml") and "LockedClocks" in name:
            raise AttributeError(name)
        return super().__getattribute__(name)


def clocks(library: FakeNvml, root: Path, *, may_set: bool = True) -> NvmlClocks:
    return NvmlClocks(root, load=lambda name: library, may_set=lambda: may_set)


def test_they_are_set_to_the_most_and_put_back(tmp_path: Path) -> None:
    library = FakeNvml()
    gpu = clocks(library, tmp_path)
    before = gpu.read()
    assert before == (("0000:01:00.0", 2619, 1200),)
    assert gpu.state() is False
    assert gpu.lock()
    assert library.clocks == [[3201, 1980]]
    assert gpu.state() is True
    assert gpu.restore(before) == []
    assert library.clocks == [[2619, 1200]]
    assert gpu.state() is False


@pytest.mark.parametrize(
    ("library", "why"),
    [
        (FakeNvml(refuses=NO_PERMISSION), "more rights"),
        (OldNvml(refuses=NOT_SUPPORTED), "nothing tells"),
        (FakeNvml(refuses=NOT_SUPPORTED, set_by_somebody=True), "nothing tells"),
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
    assert gpu.restore(before) == ["clocks of GPU 0000:01:00.0"]
    assert gpu.restore((("0000:09:00.0", 1, 1),)) == ["clocks of GPU 0000:09:00.0"]


def test_a_machine_without_nvml_has_none(tmp_path: Path) -> None:
    def load(name: str) -> Any:
        raise OSError(name)

    gpu = NvmlClocks(tmp_path, load=load)
    assert (gpu.read(), gpu.lock(), gpu.restore(())) == ((), False, [])
    assert gpu.state() is None


def test_one_without_application_clocks_is_locked_in_the_other_way_and_goes_back_to_its_default(tmp_path: Path) -> None:
    library = FakeNvml(refuses=NOT_SUPPORTED)
    gpu = clocks(library, tmp_path)
    before = gpu.read()
    assert (before, gpu.state()) == ((("0000:01:00.0", 0, 0),), False)
    assert gpu.lock()
    assert (library.locked, gpu.state()) == ([3201, 1980], True)
    assert gpu.restore(before) == []
    assert (library.locked, gpu.state()) == ([], False)


def test_a_helper_that_starts_after_a_kill_puts_back_what_the_other_one_locked(tmp_path: Path) -> None:
    library = FakeNvml(refuses=NOT_SUPPORTED)
    killed = clocks(library, tmp_path)
    note = killed.read()
    killed.lock()
    assert clocks(library, tmp_path).restore(note) == []
    assert library.locked == []


def test_what_somebody_else_has_set_and_nothing_tells_is_not_touched(tmp_path: Path) -> None:
    library = FakeNvml(refuses=NOT_SUPPORTED, set_by_somebody=True)
    gpu = clocks(library, tmp_path)
    assert (gpu.state(), gpu.read()) == (None, ()), "what is not in the note is not put back either"
    assert clocks(OldNvml(refuses=NOT_SUPPORTED), tmp_path).state() is None


def test_nothing_is_promised_without_the_drivers_trust(tmp_path: Path) -> None:
    """CAP_SYS_ADMIN: what the driver asks for, and the unit of a machine without its nodes has not."""
    assert clocks(FakeNvml(), tmp_path, may_set=False).state() is None
    status = tmp_path / "proc/self/status"
    status.parent.mkdir(parents=True)
    for effective, may in (("000001ffffffffff", True), ("0000000000200000", True), ("0000000000000000", False)):
        status.write_text(f"Name:\tpython\nCapPrm:\t0\nCapEff:\t{effective}\n")
        assert is_administrator(tmp_path) is may


def test_the_helper_offers_a_gpu_that_its_driver_lets_it_lock(tmp_path: Path) -> None:
    """Else every job that asks for it is refused when it is planned."""
    library = FakeNvml(refuses=NOT_SUPPORTED)
    held = HeldSettings(Board(tmp_path), NoteFile(tmp_path / "notes"), clocks(library, tmp_path))
    assert (held.read()["lockable"], held.read()["locked"]) == (["gpu"], [])
    assert set(held.lock_clocks()) == {"cpu", "emc"}
    assert held.read()["locked"] == ["gpu"]
    assert held.restore() == []
    assert (held.read()["locked"], library.locked) == ([], [])
