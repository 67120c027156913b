"""The manifest of a bundle: what is deployed, where it was measured, and the digest of every file. Both halves read it.

manifest.json   this
manifest.sig    its Ed25519 signature, hexadecimal, over the file's bytes; optional
build.json      the BUILD that makes the engine again, a TaskSpec as `agent once` takes it
bench.json      the BENCH that was won with, likewise
files/<sha256>  engine, graphs, calibration, reference and evaluation data, timing caches
SHA256SUMS      every file but the first two and itself, as sha256sum reads it: for a machine without an agent
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

from jetfleet.blobs import check_digest
from jetfleet.errors import BadInput

MANIFEST, SIGNATURE, SUMS = "manifest.json", "manifest.sig", "SHA256SUMS"
BUILD, BENCH, FILES = "build.json", "bench.json", "files"
SCHEMA_VERSION = 1
_MOST_BYTES = 4 << 20
_MAPPINGS = frozenset({"device", "facts", "measurement", "budget", "files"})
_NUMBERS = frozenset({"batch", "schema_version"})


@dataclass(frozen=True)
class Manifest:
    """`device` holds the facts by which boards may share the engine, `facts` the rest that was known of the board.

    `measurement` is the row that won, by the names of jetfleet.metrics; `budget` what a target must keep: the most
    where less is better, the least where more is.
    """

    name: str
    model: str
    variant: str
    runtime: str
    runtime_version: str
    precision: str
    placement: str
    batch: int
    engine: str  # its digest
    device: Mapping[str, str]
    facts: Mapping[str, str]
    measurement: Mapping[str, Any]
    budget: Mapping[str, float]
    made_at: str
    made_by: str
    files: Mapping[str, str]  # digests by paths in the bundle; neither the manifest nor its signature is one of them
    schema_version: int = SCHEMA_VERSION


def manifest_text(manifest: Manifest) -> str:
    return json.dumps(asdict(manifest), indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """Raises BadInput for what is not a bundle, or one of another version."""
    path = folder / MANIFEST
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadInput("the manifest is too large", where=str(path), expected=f"at most {_MOST_BYTES} bytes")
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(
            f"this is not a bundle: {error.strerror}",
            where=str(path),
            expected="a folder that `controller package` made",
        ) from error
    except ValueError as error:
        raise BadInput(f"the manifest cannot be read: {error}", where=str(path)) from error
    return _manifest(document, str(path))


def _manifest(document: Any, where: str) -> Manifest:
    if not isinstance(document, dict):
        raise BadInput("the manifest is not an object", where=where)
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise BadInput(f"the manifest has version {version!r}", where=where, expected=f"version {SCHEMA_VERSION}")
    wrong = [item.name for item in fields(Manifest) if not _is_right(item.name, document.get(item.name))]
    if wrong:
        raise BadInput(f"the manifest lacks or garbles {', '.join(wrong)}", where=where)
    manifest = Manifest(**{item.name: document[item.name] for item in fields(Manifest)})
    check_digest(manifest.engine)
    for name, sha256 in manifest.files.items():
        check_digest(str(sha256))
        if not _is_inside(name):
            raise BadInput(f"{name!r} is not a path inside the bundle", where=where)
    return manifest


def _is_right(name: str, value: Any) -> bool:
    if name in _MAPPINGS:
        return isinstance(value, dict)
    return isinstance(value, int if name in _NUMBERS else str)


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\\" not in name
