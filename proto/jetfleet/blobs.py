"""Files by content: SHA-256, chunks, and a folder in which every file's name is the digest of what is in it.

Nothing appears under a digest before its bytes were hashed and fsynced; a file found to differ is moved aside.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path

from jetfleet.errors import BadInput, Corrupt, DiskFull, Infrastructure, WrongOffset

CHUNK_BYTES = 1 << 20  # the most that is accepted
# What is sent at once. From 128 KiB on, malloc maps fresh pages for every message, and grpc.aio takes three times the
# CPU to send it (docs/measured).
BLOCK_BYTES = 120 << 10
_HEX = frozenset("0123456789abcdef")


def sha256_file(path: Path) -> str:
    found = hashlib.sha256()
    for block in chunks(path):
        found.update(block)
    return found.hexdigest()


def check_digest(sha256: str) -> str:
    """The digest itself if it is one; what comes from outside must pass here before it becomes part of a path."""
    if len(sha256) != 64 or not _HEX.issuperset(sha256):
        raise BadInput(f"{sha256[:80]!r} is not a SHA-256", expected="64 lower-case hex digits")
    return sha256


def chunks(path: Path, *, offset: int = 0) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        while block := file.read(BLOCK_BYTES):
            yield block


class BlobDir:
    """A content-addressed folder: `objects/ab/abcd...`, and `incoming/` for what is not complete yet."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incoming = root / "incoming"
        self.lay_out()

    def lay_out(self) -> None:
        """Makes the folders, where they are not there (any more)."""
        self.incoming.mkdir(parents=True, exist_ok=True)
        (self.root / "objects").mkdir(exist_ok=True)

    def path(self, sha256: str) -> Path:
        return self.root / "objects" / sha256[:2] / check_digest(sha256)

    def has(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def put_file(self, source: Path, sha256: str | None = None) -> str:
        """Copies a file in, verified; returns its digest. Raises Corrupt if it is not `sha256`."""
        part = self.incoming / f"put-{uuid.uuid4().hex}"
        found = hashlib.sha256()
        try:
            with _no_space(part), part.open("wb") as sink:
                for block in chunks(source):
                    found.update(block)
                    sink.write(block)
            digest = found.hexdigest()
            if sha256 not in (None, digest):
                raise Corrupt(f"{source} is {digest}, not {sha256}")
            self.publish(part, digest)
        finally:
            part.unlink(missing_ok=True)
        return digest

    def link_from(self, other: Path, sha256: str) -> bool:
        """Takes a blob of a BlobDir on the same file system by hard link; False where that is not possible."""
        source = other / "objects" / sha256[:2] / check_digest(sha256)
        if not source.is_file():
            return False
        target = self._place_for(sha256)
        try:
            os.link(source, target)
        except FileExistsError:
            return True
        except OSError:
            return False
        sync_folder(target.parent)
        return True

    def received(self, sha256: str) -> int:
        """Bytes of an unfinished upload."""
        part = self._part(sha256)
        return part.stat().st_size if part.exists() else 0

    def forget_part(self, sha256: str) -> None:
        """Gives up an unfinished upload, and the room that it takes."""
        self._part(sha256).unlink(missing_ok=True)

    def keep_only(self, wanted: Collection[str]) -> None:
        """Drops every blob that is not wanted, and what was never finished."""
        for path in (*self.root.glob("objects/*/*"), *self.incoming.iterdir()):
            if path.name not in wanted:
                path.unlink(missing_ok=True)

    def open_upload(self, sha256: str, *, size: int, offset: int) -> "Upload":
        """Continues an upload. Raises WrongOffset if the next byte expected is another one, and Infrastructure while
        somebody else uploads the same bytes.
        """
        return Upload(self, self._part(sha256), sha256, size=size, offset=offset)

    def verify(self, sha256: str) -> None:
        """Reads a blob again. Raises Corrupt, after moving it aside, if it no longer is what its name says."""
        path = self.path(sha256)
        found = sha256_file(path)
        if found != sha256:
            quarantine = self.root / "quarantine"
            quarantine.mkdir(exist_ok=True)
            path.rename(quarantine / f"{sha256}-{found[:8]}")
            raise Corrupt(f"blob {sha256[:12]} is damaged on disk (now {found[:12]}); moved to {quarantine}")

    def remove_unfinished(self, *, before_s: float) -> int:
        """Forgets uploads that nobody has written to since `before_s` (of the epoch), nor writes now; how many."""
        count = 0
        for part in sorted(self.incoming.iterdir()):
            with contextlib.suppress(FileNotFoundError, BlockingIOError), part.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(file.fileno()).st_mtime <= before_s:
                    part.unlink()
                    count += 1
        return count

    def _part(self, sha256: str) -> Path:
        return self.incoming / f"{check_digest(sha256)}.part"

    def _place_for(self, sha256: str) -> Path:
        target = self.path(sha256)
        if not target.parent.exists():
            target.parent.mkdir(exist_ok=True)
            sync_folder(target.parent.parent)
        return target

    def publish(self, part: Path, sha256: str) -> None:
        """Gives a file of `incoming`, complete and hashed, its place. For this module."""
        with _no_space(part):
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.chmod(0o444)
            target = self._place_for(sha256)
            part.replace(target)
            sync_folder(target.parent)


class Upload:
    """An upload in progress. Close it complete to publish it, incomplete to resume it later.

    It holds a lock on its file from the first byte until it is published: two uploads of the same bytes at once would
    append to one file, each sure that its own hash is right.
    """

    def __init__(self, blobs: BlobDir, part: Path, sha256: str, *, size: int, offset: int) -> None:
        self._blobs, self._part, self._sha256, self._size = blobs, part, sha256, size
        self._hash = hashlib.sha256()
        with _no_space(part):
            self._file = part.open("ab", buffering=0)
        try:
            self._lock()
            self.received = self._resume(offset)
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between our open and our lock the file may have been published: then it is a blob, and not ours to touch.
            mine = self._part.exists() and os.path.samestat(os.fstat(self._file.fileno()), self._part.stat())
        except BlockingIOError:
            mine = False
        if not mine:
            raise Infrastructure(f"another upload of {self._sha256[:12]} is in progress", hint="try again in a moment")

    def _resume(self, offset: int) -> int:
        received = os.fstat(self._file.fileno()).st_size
        if received > self._size:
            self._file.truncate(0)
            received = 0
        if offset != received:
            raise WrongOffset(f"upload of {self._sha256[:12]} must continue at byte {received}, not {offset}")
        for block in chunks(self._part):
            self._hash.update(block)
        return received

    def write(self, block: bytes) -> None:
        if self.received + len(block) > self._size:
            raise BadInput(f"upload of {self._sha256[:12]} is longer than the {self._size} bytes it announced")
        rest = memoryview(block)
        with _no_space(self._part):
            while rest:
                rest = rest[self._file.write(rest) :]
        self._hash.update(block)
        self.received += len(block)

    def close(self) -> bool:
        """Publishes the blob if all of it is here. Raises Corrupt, and forgets the bytes, if they are not it."""
        if self._file.closed:
            return self._blobs.has(self._sha256)
        with _no_space(self._part), self._file:
            if self.received < self._size:
                return False
            if self._hash.hexdigest() != self._sha256:
                self._part.unlink()
                raise Corrupt(f"upload of {self._sha256[:12]} arrived as {self._hash.hexdigest()[:12]}: send it again")
            self._blobs.publish(self._part, self._sha256)
        return True


def sync_folder(folder: Path) -> None:
    """Makes a rename in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _no_space:
    """Turns "no space left" into the error that users see."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"no space left for {self._path.parent}", hint="free some space and try again") from error
