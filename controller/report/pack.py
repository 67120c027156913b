"""An evidence pack: one archive with the report, the raw samples, the facts and the jobs, each by its digest.

Whoever gets it verifies it without a controller: no file was changed, and the medians in `results.json` are those of
the samples that lie beside it.
"""

import hashlib
import json
import statistics
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jetfleet.errors import BadInput, Corrupt
from jetfleet.plural import are, counted

DIGESTS, RESULTS, SAMPLES = "SHA256SUMS", "results.json", "samples"
_MOST_BYTES = 4 << 30
_CLOSE = 1e-6


def write_pack(path: Path, files: Mapping[str, bytes]) -> None:
    """The archive; the same content makes the same bytes."""
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (*sorted(files.items()), (DIGESTS, sums.encode())):
            archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), content)


def verify_pack(path: Path, read_values: Callable[[bytes], Sequence[float]]) -> list[str]:
    """What was verified, in words. Raises BadInput for what is not a pack, Corrupt with all that does not hold."""
    files = _read(path)
    wrong = [*_digest_faults(files)]
    checked, faults = 0, []
    for row in json.loads(files.get(RESULTS, b"{}")).get("results", []):
        found = _median_fault(row, files, read_values)
        checked += found is not None
        faults += [found] if found else []
    if wrong or faults:
        raise Corrupt("; ".join([*wrong, *faults][:6]), where=str(path), hint="ask for the pack again")
    return [
        f"{counted(len(files) - 1, 'file')} {are(len(files) - 1)} what {DIGESTS} says",
        f"{counted(checked, 'median')} of measurements {are(checked)} of the samples in here",
    ]


def _read(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(item.file_size for item in archive.infolist()) > _MOST_BYTES:
                raise BadInput("the archive is too large", where=str(path), expected=f"at most {_MOST_BYTES} bytes")
            files = {item.filename: archive.read(item) for item in archive.infolist()}
    except (OSError, zipfile.BadZipFile) as error:
        raise BadInput(f"this is not an evidence pack: {error}", where=str(path)) from error
    if DIGESTS not in files:
        raise BadInput("this is not an evidence pack", where=str(path), expected=f"an archive with {DIGESTS}")
    return files


def _digest_faults(files: Mapping[str, bytes]) -> Iterator[str]:
    said = dict(_sums(files[DIGESTS].decode("utf-8", "replace")))
    for name in sorted(said.keys() | files.keys() - {DIGESTS}):
        if name not in files:
            yield f"{name} is missing"
        elif name not in said:
            yield f"{name} is not of this pack"
        elif hashlib.sha256(files[name]).hexdigest() != said[name]:
            yield f"{name} was changed"


def _sums(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        sha256, _, name = line.partition("  ")
        yield name, sha256


def _median_fault(
    row: Mapping[str, Any], files: Mapping[str, bytes], read_values: Callable[[bytes], Sequence[float]]
) -> str | None:
    """None: there is nothing to hold it against; empty: it holds."""
    runs = [run for run in row.get("runs") or [] if not run.get("void_reason")]
    held = [(run, content) for run in runs if (content := files.get(f"{SAMPLES}/{run.get('samples_sha256')}.npy"))]
    if not held or row.get("p50_ms") is None or len(held) < len(runs):
        return None
    medians = [_middle(sorted(read_values(content))) for _, content in held]
    found = statistics.median(medians)
    if abs(found - row["p50_ms"]) <= _CLOSE * abs(found):
        return ""
    return f"p50 of measurement {row.get('measurement_id')} is {row['p50_ms']:.6g}, its samples say {found:.6g}"


def _middle(ordered: Sequence[float]) -> float:
    """By nearest rank, as the agent takes it."""
    return ordered[(len(ordered) + 1) // 2 - 1]
