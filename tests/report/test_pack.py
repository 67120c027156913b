"""An evidence pack holds what it says, or says what does not hold."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from controller.analysis.quantiles import thinned
from controller.api.telemetry_file import latency_of, series_of
from controller.record.arrays import read_npy
from controller.report.pack import verify_pack, write_pack
from jetfleet.errors import BadInput, Corrupt


def samples(values: list[float], folder: Path) -> bytes:
    np.save(folder / "x.npy", np.array(values))
    return (folder / "x.npy").read_bytes()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    """Two measurements: one of two runs, and one whose samples are not there."""
    runs = [{"samples_sha256": name, "void_reason": None} for name in ("a", "b")]
    void = {"samples_sha256": "c", "void_reason": "it was paused"}
    rows = [
        {"measurement_id": 1, "p50_ms": 2.5, "runs": [*runs, void]},
        {"measurement_id": 2, "p50_ms": 7.0, "runs": [{"samples_sha256": "gone", "void_reason": None}]},
    ]
    return {
        "results.json": json.dumps({"results": rows}).encode(),
        "samples/a.npy": samples([1.0, 2.0, 9.0], tmp_path),
        "samples/b.npy": samples([3.0, 3.0, 3.0, 4.0], tmp_path),
        "report.html": b"<p>",
    }


def test_a_pack_is_verified_with_its_medians(files: dict[str, bytes], tmp_path: Path) -> None:
    write_pack(tmp_path / "pack.zip", files)
    assert verify_pack(tmp_path / "pack.zip", read_npy) == [
        "4 files are what SHA256SUMS says",
        "1 median of measurements is of the samples in here",
    ]


def test_the_same_evidence_makes_the_same_bytes(files: dict[str, bytes], tmp_path: Path) -> None:
    write_pack(tmp_path / "one", files)
    write_pack(tmp_path / "two", dict(reversed(files.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_number_that_its_samples_do_not_say_is_found(files: dict[str, bytes], tmp_path: Path) -> None:
    files["results.json"] = files["results.json"].replace(b"2.5", b"2.4")
    write_pack(tmp_path / "pack.zip", files)
    with pytest.raises(Corrupt, match=r"p50 of measurement 1 is 2\.4, its samples say 2\.5"):
        verify_pack(tmp_path / "pack.zip", read_npy)


def test_every_file_that_was_touched_is_named(files: dict[str, bytes], tmp_path: Path) -> None:
    write_pack(tmp_path / "pack.zip", files)
    with zipfile.ZipFile(tmp_path / "pack.zip") as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    kept["report.html"] = b"<b>"
    del kept["samples/b.npy"]
    kept["more.txt"] = b""
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as archive:
        for name, content in kept.items():
            archive.writestr(name, content)
    with pytest.raises(Corrupt) as found:
        verify_pack(tmp_path / "pack.zip", read_npy)
    assert found.value.message == "more.txt is not of this pack; report.html was changed; samples/b.npy is missing"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"<html>"])
def test_what_is_not_a_pack_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "pack.zip").write_bytes(content)
    with pytest.raises(BadInput, match="this is not an evidence pack"):
        verify_pack(tmp_path / "pack.zip", read_npy)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00\xff\xff", b"\x93NUMPY\x01\x00\x04\x00{1:2"])
def test_samples_that_cannot_be_read_are_damage(content: bytes) -> None:
    with pytest.raises(Corrupt):
        read_npy(content)


def test_a_million_samples_become_a_few_points_and_keep_both_ends() -> None:
    values, shares = thinned([float(value) for value in range(100_000)])
    assert (values[0], values[-1], shares[-1]) == (0.0, 99_999.0, 1.0)
    assert len(values) < 260
    assert all(share == pytest.approx((value + 1) / 100_000) for value, share in zip(values, shares, strict=True))
    assert thinned([]) == ((), ())
    assert thinned([3.0]) == ((3.0,), (1.0,))


def test_telemetry_is_read_as_series_of_what_changed() -> None:
    lines = [
        {"rounds": [[0, 1]]},
        {"channel": "VDD_GPU", "unit": "W", "t_s": [-0.1, 0.0, 0.1], "values": [4.0, 5.0, 6.0]},
        {"channel": "fan", "unit": "rpm", "t_s": [0.0, 0.1], "values": [0.0, 0.0]},
    ]
    (found,) = series_of("\n".join(map(json.dumps, lines)))
    assert (found.channel, found.unit, found.seconds, found.values) == (
        "VDD_GPU",
        "W",
        (-0.1, 0.0, 0.1),
        (4.0, 5.0, 6.0),
    )
    with pytest.raises(Corrupt):
        list(series_of("{}\n[]"))


def test_latency_stands_over_the_clock_of_the_sensors() -> None:
    text = json.dumps({"rounds": [[0, 1], [1, 2.5]]}) + "\n"
    (found,) = latency_of(text, [5.0, 6.0])
    assert (found.unit, found.seconds, found.values) == ("ms", (0.5, 1.75), (5.0, 6.0))
    assert list(latency_of(text, [5.0])) == []  # of another process
    assert list(latency_of("{}", [])) == []
    with pytest.raises(Corrupt):
        list(latency_of("[]", []))
