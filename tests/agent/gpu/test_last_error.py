"""The CUDA runtime's last error, on a library that keeps one as the real runtime does."""

import ctypes
import subprocess
from pathlib import Path

import pytest

from agent.runtime.gpu.cuda import Cuda
from agent.runtime.gpu.graphs import CaptureFailed
from agent.runtime.gpu.last_error import clear_last_error
from tests.agent.gpu.fakepycuda import FakeDriver, FakeGraphs, install

SOURCE = "static int last = 900; int cudaGetLastError() { int was = last; last = 0; return was; }"


@pytest.fixture
def library(tmp_path: Path) -> ctypes.CDLL:
    """libcudart, with an error of a capture that failed in it."""
    path = tmp_path / "libcudart.so.12"
    (tmp_path / "cudart.c").write_text(SOURCE)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(path), str(tmp_path / "cudart.c")], check=True)
    return ctypes.CDLL(str(path))


def test_a_failed_capture_leaves_no_error_behind(library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeDriver(), FakeGraphs("end"))
    cuda = Cuda.open()
    with pytest.raises(CaptureFailed, match="STREAM_CAPTURE_UNSUPPORTED"):
        cuda.capture(cuda.stream(), lambda: None)
    assert library.cudaGetLastError() == 0
    cuda.close()


def test_a_capture_that_works_clears_nothing(library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeDriver(), FakeGraphs())
    cuda = Cuda.open()
    cuda.capture(cuda.stream(), lambda: None)
    assert library.cudaGetLastError() == 900
    cuda.close()


def test_without_a_runtime_there_is_nothing_to_clear(tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.write_text("7f00-7f01 r-xp 00000000 08:01 42   /usr/lib/libc.so.6\n7f02-7f03 rw-p 0 0 0\n")
    assert clear_last_error(maps) == 0
    assert clear_last_error(tmp_path / "none") == 0
