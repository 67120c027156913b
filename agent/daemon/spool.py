"""Results on disk until the controller has acknowledged them: they survive the agent, a reboot and a power cut.

An entry is one file, `TOKEN.outcome`, written whole or not at all: the SHA-256 of the outcome's bytes, then the bytes.
Most flipped bits leave a message that can be read and says something else, so the digest decides. The files that an
entry names are in the agent's BlobDir, fsynced before it appears.
"""

import hashlib
import os
from pathlib import Path

from google.protobuf.message import DecodeError

from jetfleet.blobs import sync_folder
from jetfleet.v1 import task_pb2

_SUFFIX = ".outcome"
_DIGEST_BYTES = 32


class Spool:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.lay_out()

    def tokens(self) -> list[str]:
        """Attempts whose results wait here, oldest first."""
        entries = sorted(self._folder.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)
        return [path.name.removesuffix(_SUFFIX) for path in entries]

    def lay_out(self) -> None:
        """Makes the folder, where it is not there (any more)."""
        self._folder.mkdir(parents=True, exist_ok=True)

    def put(self, token: str, outcome: task_pb2.Outcome) -> None:
        """Returns once the entry would survive a power cut."""
        part = self._folder / f"{token}.part"
        content = outcome.SerializeToString()
        with part.open("wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path(token))
        sync_folder(self._folder)

    def get(self, token: str) -> task_pb2.Outcome | None:
        """The result; None if its file is damaged, which is then set aside."""
        path = self._path(token)
        try:
            entry = path.read_bytes()
        except OSError:  # a dying disk: what cannot be read is as good as damaged
            entry = b""
        digest, content = entry[:_DIGEST_BYTES], entry[_DIGEST_BYTES:]
        try:
            if hashlib.sha256(content).digest() == digest:
                return task_pb2.Outcome.FromString(content)
        except DecodeError:
            pass
        self.set_aside(token, "damaged")
        return None

    def set_aside(self, token: str, why: str) -> None:
        """Keeps an entry under another name: it is looked into by people, and stands in nobody's way."""
        path = self._path(token)
        path.replace(path.with_suffix(f".{why}"))

    def drop(self, token: str) -> None:
        self._path(token).unlink(missing_ok=True)

    def _path(self, token: str) -> Path:
        return self._folder / f"{token}{_SUFFIX}"
