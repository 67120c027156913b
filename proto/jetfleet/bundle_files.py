"""Whether the files of a bundle are those of its manifest: each one that it lists, and none beside."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from jetfleet.blobs import sha256_file
from jetfleet.bundle import FILES, MANIFEST, SIGNATURE, SUMS, Manifest
from jetfleet.errors import Corrupt

# What only deploys it. A copy that serves may be without; what is there must be right all the same.
_DEPLOYMENT = frozenset({"README.md", "deploy", "image", SUMS})
_MOST_TOLD = 5


def left_behind(folder: Path, manifest: Manifest) -> list[str]:
    """Files that only deploy the bundle, and that are not in this copy of it."""
    return [name for name in sorted(manifest.files) if _only_deploys(name) and not os.path.lexists(folder / name)]


def _only_deploys(name: str) -> bool:
    return PurePosixPath(name).parts[0] in _DEPLOYMENT


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Raises Corrupt for files that are missing, not what the manifest says, or not in it at all; they are named.

    Those that only deploy it may be missing. Nothing that runs a bundle writes into its folder.
    """
    wrong = [*_unlisted(folder, manifest), *_wrong(folder, manifest)]
    if wrong:
        more = f"; and {len(wrong) - _MOST_TOLD} more" if len(wrong) > _MOST_TOLD else ""
        raise Corrupt(
            "; ".join(wrong[:_MOST_TOLD]) + more,
            where=str(folder),
            hint="copy the bundle anew, and compare: agent bundle verify",
        )


def _unlisted(folder: Path, manifest: Manifest) -> Iterator[str]:
    """A file that nobody signed is one that somebody may have planted: a package, say, that a script would install."""
    listed = {MANIFEST, SIGNATURE, *manifest.files}
    for place, folders, names in os.walk(folder, onerror=_stop):
        inside = Path(place).relative_to(folder)
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in sorted((*names, *links)):
            path = (inside / name).as_posix()
            if path not in listed:
                yield f"{path!r} is not in the manifest"


def _stop(error: OSError) -> None:
    """A folder that cannot be looked into may hold anything."""
    raise Corrupt(f"{error.filename} cannot be read: {error.strerror}", where="the bundle") from error


def _wrong(folder: Path, manifest: Manifest) -> Iterator[str]:
    absent = frozenset(left_behind(folder, manifest))
    for name, sha256 in sorted(manifest.files.items()):
        path = folder / name
        if name in absent:
            continue
        if path.is_symlink() or not path.is_file():
            yield f"{name} is missing"
        elif PurePosixPath(name).parts[0] == FILES and PurePosixPath(name).name != sha256:
            yield f"{name} is not named by its digest"
        elif sha256_file(path) != sha256:
            yield f"{name} is damaged: not {sha256[:12]}"
