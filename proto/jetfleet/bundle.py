"""The manifest of a bundle: what is deployed, where it was measured, and the digest of every file. Both halves read it.

manifest.json   this
manifest.sig    its Ed25519 signature, hexadecimal, over the file's bytes; optional
build.json      the BUILD that makes the engine again, a TaskSpec as `agent once` takes it
bench.json      the BENCH that was won with, likewise
files/<sha256>  engine, graphs, calibration, reference and evaluation data, timing caches
SHA256SUMS      every file but the first two and itself, as sha256sum reads it: for a machine without an agent
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

MANIFEST, SIGNATURE, SUMS = "manifest.json", "manifest.sig", "SHA256SUMS"
BUILD, BENCH, FILES = "build.json", "bench.json", "files"
SCHEMA_VERSION = 1
LONGEST_NAME = 100
_NAME = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")


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


def is_name(text: str) -> bool:
    """Fit for an image, a unit, a folder and compose, and for a terminal."""
    return len(text) <= LONGEST_NAME and _NAME.fullmatch(text) is not None
