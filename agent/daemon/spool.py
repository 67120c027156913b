"""Results on disk until the controller has acknowledged them: they survive the agent, a reboot and a power cut.

An entry is one file, `TOKEN.outcome`, written whole or not at all. The files that it names are in the agent's BlobDir,
fsynced before the entry appears.
"""

import os
from pathlib import Path

from google.protobuf.message import DecodeError

from jetfleet.blobs import sync_folder
from jetfleet.v1 import task_pb2

_SUFFIX = ".outcome"


class Spool:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def tokens(self) -> list[str]:
        """Attempts whose results wait here, oldest first."""
        entries = sorted(self._folder.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)
        return [path.name.removesuffix(_SUFFIX) for path in entries]

    def put(self, token: str, outcome: task_pb2.Outcome) -> None:
        """Returns once the entry would survive a power cut."""
        part = self._folder / f"{token}.part"
        with part.open("wb") as file:
            file.write(outcome.SerializeToString())
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path(token))
        sync_folder(self._folder)

    def get(self, token: str) -> task_pb2.Outcome | None:
        """The result; None if its file is damaged (then it is set aside and the work is done again)."""
        path = self._path(token)
        try:
            return task_pb2.Outcome.FromString(path.read_bytes())
        except DecodeError:
            path.replace(path.with_suffix(".damaged"))
            return None

    def drop(self, token: str) -> None:
        self._path(token).unlink(missing_ok=True)

    def _path(self, token: str) -> Path:
        return self._folder / f"{token}{_SUFFIX}"
