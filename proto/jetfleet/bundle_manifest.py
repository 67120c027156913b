"""Reads the manifest of a bundle, which may be anybody's: it is all that it has to be, or it is refused in words."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import Any

from jetfleet.blobs import check_digest
from jetfleet.bundle import BENCH, BUILD, FILES, MANIFEST, SCHEMA_VERSION, Manifest, is_name
from jetfleet.errors import BadInput

_MOST_BYTES = 4 << 20
_MOST_IN_A_BATCH = (1 << 31) - 1
_LARGEST = 1e300
_LONGEST_PATH = 500


def read_manifest(folder: Path) -> Manifest:
    """Raises BadInput for what is not a bundle, for one of another version, and for one that is garbled."""
    path = folder / MANIFEST
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadInput("the manifest is too large", where=str(path), expected=f"at most {_MOST_BYTES} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"this is not a bundle: {error.strerror}",
            where=str(path),
            expected="a folder that `controller package` made",
        ) from error
    return _manifest(_document(content, str(path)), str(path))


def _document(content: bytes, where: str) -> Any:
    try:
        document = json.loads(content, parse_constant=_refuse_constant, object_pairs_hook=_once)
        json.dumps(document, ensure_ascii=False).encode()  # halves of characters, which no file and no terminal takes
    except (ValueError, RecursionError) as error:
        why = "lists in lists without end" if isinstance(error, RecursionError) else str(error)[:200]
        raise BadInput(f"the manifest cannot be read: {why}", where=where) from error
    return document


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not a number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """What one reader takes the first of, and another one the last, says two things."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _manifest(document: Any, where: str) -> Manifest:
    if not isinstance(document, dict):
        raise BadInput("the manifest is not an object", where=where)
    version = document.get("schema_version")
    if type(version) is not int or version != SCHEMA_VERSION:
        said = str(version)[:40] if isinstance(version, (str, float)) or version is None else "another one"
        raise BadInput(f"its version is not known here: {said}", where=where, expected=f"version {SCHEMA_VERSION}")
    wrong = [item.name for item in fields(Manifest) if not _is_right(item.name, document.get(item.name))]
    if wrong:
        raise BadInput(f"the manifest lacks or garbles {', '.join(wrong)}", where=where)
    manifest = Manifest(**{item.name: document[item.name] for item in fields(Manifest)})
    _check_files(manifest, where)
    return manifest


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _is_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _is_batch(value: Any) -> bool:
    return type(value) is int and 1 <= value <= _MOST_IN_A_BATCH


def _is_budget(value: Any) -> bool:
    return isinstance(value, dict) and all(is_limit(item) for item in value.values())


def is_limit(value: object) -> bool:
    """Whether it is one that a measurement can be held against: a finite number above zero."""
    return type(value) in (int, float) and isinstance(value, (int, float)) and 0 < value <= _LARGEST


_RULES: Mapping[str, Callable[[Any], bool]] = {
    "name": lambda value: isinstance(value, str) and is_name(value),
    "batch": _is_batch,
    "schema_version": lambda value: True,  # looked at before
    "budget": _is_budget,
    "measurement": _is_mapping,
    **dict.fromkeys(("device", "facts", "files"), _is_texts),
}


def _is_right(name: str, value: Any) -> bool:
    return _RULES.get(name, _is_text)(value)


def _check_files(manifest: Manifest, where: str) -> None:
    check_digest(manifest.engine)
    for name, sha256 in manifest.files.items():
        check_digest(sha256)
        if not _is_inside(name):
            raise BadInput(f"{name[:80]!r} is not a path inside the bundle", where=where)
    missing = sorted({BUILD, BENCH, f"{FILES}/{manifest.engine}"} - manifest.files.keys())
    if missing:
        raise BadInput(f"the manifest does not list {', '.join(missing)}", where=where)


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    is_plain = name.isprintable() and "\\" not in name and path.as_posix() == name and len(name) <= _LONGEST_PATH
    return is_plain and bool(path.parts) and not path.is_absolute() and ".." not in path.parts
