"""Exports by what they were made from: a key over everything that decides them, and a folder per key, made at once."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from jetfleet.blobs import sha256_file, sync_folder

_LIST_NAME = "files.json"


def key_of(content: Mapping[str, object]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def fetch(
    cache: Path, key: str, make: Callable[[Path], None], *, is_right: Callable[[Path], bool] = lambda _: True
) -> tuple[Path, bool]:
    """The folder under a key, made by `make` if it is not there, damaged or not right; and whether it was there."""
    target = cache / key
    if _whole(target):
        if is_right(target):
            return target, True
        (target / _LIST_NAME).unlink(missing_ok=True)  # damaged, from here on
    cache.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f"{key[:16]}-", suffix=".part", dir=cache))
    try:
        make(part)
        listed = {path.name: sha256_file(path) for path in sorted(part.iterdir())}
        (part / _LIST_NAME).write_text(json.dumps(listed), encoding="utf-8")
        _publish(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target, False


def _whole(folder: Path) -> bool:
    try:
        listed = json.loads((folder / _LIST_NAME).read_text(encoding="utf-8"))
        return all(sha256_file(folder / name) == digest for name, digest in listed.items())
    except (OSError, ValueError):
        return False


def _publish(part: Path, target: Path) -> None:
    """Moves a complete folder into place; a damaged one there goes away, a whole one of somebody faster stays."""
    for path in part.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    if target.exists() and not _whole(target):
        aside = part.with_suffix(".damaged")
        target.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
    if not target.exists():
        part.rename(target)
        sync_folder(target.parent)
