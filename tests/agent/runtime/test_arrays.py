"""Tensor files: what is read, and what is refused before it is."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest

from agent.runtime.arrays import Tensor, read_npy, write_npy
from jetfleet.errors import BadInput


def header(shape: str, *, descr: str = "'<f4'", version: bytes = b"\x01\x00") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3), np.float32(1).reshape(()), np.zeros((0, 4), np.int8)])
def test_what_is_written_is_read(tmp_path: Path, array: Tensor) -> None:
    write_npy(tmp_path / "a", array)
    for mapped in (False, True):
        again = read_npy(tmp_path / "a", mapped=mapped)
        assert again.dtype == array.dtype
        assert np.array_equal(again, array)
        assert isinstance(again, np.memmap) is (mapped and array.size > 0)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no such thing",
        header("(2, 3)") + bytes(23),  # a byte short
        header("(2, 3)") + bytes(25),
        header("(1000000, 1000000)"),  # promises 4 TB
        header("(-2, -3)") + bytes(24),
        header("(2,)", descr="'|O'") + bytes(16),  # pickles
        header("(2,)", descr="[('a', '<f4')]") + bytes(8),
        header("(2,)", version=b"\x03\x00") + bytes(8),
    ],
)
def test_anything_but_a_plain_whole_array_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(BadInput, match="tensor-name"):
        read_npy(tmp_path / "a", name="tensor-name")


def test_a_size_limit_is_kept(tmp_path: Path) -> None:
    write_npy(tmp_path / "a", np.zeros(100))
    with pytest.raises(BadInput, match="allowed"):
        read_npy(tmp_path / "a", max_bytes=799)


def test_pickled_arrays_never_run(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "a").write_bytes(buffer.getvalue())
    with pytest.raises(BadInput):
        read_npy(tmp_path / "a")
