"""How much memory is free, and the least of it while a build runs: on constructed files and a scripted reading."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, get_ident

import pytest

from agent.runtime.base import DeviceFault
from agent.runtime.tensorrt.memory import (
    PeakMemory,
    Read,
    available_bytes,
    is_shared,
    memory_advice,
    open_cuda,
    reader,
    usable_bytes,
)
from tests.agent.tensorrt.fake_gpu import BoardCuda


def test_what_the_host_can_give_is_read_from_the_kernel(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:        7802508 kB\nMemFree:  100 kB\nMemAvailable:    6012344 kB\n")
    assert available_bytes(meminfo) == 6012344 * 1024
    assert available_bytes(tmp_path / "nothing") is None


def test_half_of_the_page_cache_is_not_the_gpus(tmp_path: Path) -> None:
    """NvMap fails where the kernel would still find room for a program."""
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  8000000 kB\nMemFree:  1024000 kB\nMemAvailable:  5120000 kB\nCached: 4600000 kB\n")
    assert usable_bytes(meminfo) == 3072000 * 1024
    assert usable_bytes(tmp_path / "nothing") is None
    told = memory_advice(meminfo)
    assert "1000 MiB are free and 4000 MiB hold file cache" in told
    assert "drop_caches" in told
    meminfo.write_text("MemFree:  9000 kB\nMemAvailable:  5000 kB\n")  # the kernel keeps a reserve
    assert usable_bytes(meminfo) == 5000 * 1024


def test_memory_is_shared_by_cudas_word_or_on_a_jetson(tmp_path: Path) -> None:
    release = tmp_path / "nv_tegra_release"
    assert not is_shared(None, release)
    release.write_text("# R36 (release), REVISION: 4.3")
    assert is_shared(None, release)
    assert is_shared(BoardCuda(integrated=True), release)
    assert not is_shared(BoardCuda(integrated=False), release)


def test_without_a_gpu_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.runtime.tensorrt.memory.is_usable", lambda: False)
    assert open_cuda() is None
    assert reader(shared=False, cuda=None) is None


def test_a_gpu_that_does_not_open_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise DeviceFault("the driver is not well")

    monkeypatch.setattr("agent.runtime.tensorrt.memory.is_usable", lambda: True)
    monkeypatch.setattr("agent.runtime.tensorrt.memory.Cuda.open", fail)
    assert open_cuda() is None


def test_the_peak_is_the_most_in_use_beyond_what_was_before() -> None:
    readings, read_all, closed = iter([900, 500, 700]), Event(), []

    def read() -> int:
        value = next(readings, None)
        if value is None:
            read_all.set()
        return value or 800

    @contextmanager
    def open_reader() -> Iterator[Read]:
        opened_in = get_ident()
        yield read
        closed.append(opened_in == get_ident())

    with PeakMemory(open_reader, interval_s=0.001) as peak:
        assert read_all.wait(60)
    assert peak.used_bytes == 400
    assert closed == [True]


def test_no_reading_is_no_number() -> None:
    @contextmanager
    def blind() -> Iterator[Read]:
        yield lambda: None

    @contextmanager
    def broken() -> Iterator[Read]:
        raise DeviceFault("no context")
        yield

    for open_reader in (None, blind, broken):
        with PeakMemory(open_reader) as peak:
            pass
        assert peak.used_bytes is None


def test_the_host_and_the_device_have_a_reader_each(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = BoardCuda()
    monkeypatch.setattr("agent.runtime.tensorrt.memory.Cuda.open", lambda: cuda)
    device = reader(shared=False, cuda=cuda)
    assert device is not None
    with device() as read:
        assert read() == 1 << 30
    assert cuda.log == ["context closed"]
    host = reader(shared=True, cuda=None)
    assert host is not None
    with host() as read:
        assert (read() or 0) > 0
