"""Files in a folder of this machine."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from jetfleet.blobs import BlobDir, Upload
from jetfleet.errors import Corrupt, NotFound

log = logging.getLogger(__name__)


class FolderStore:
    """A BlobStore. Agents of this machine take files from its folder by hard link."""

    def __init__(self, root: Path) -> None:
        self._folder = BlobDir(root)

    def size(self, sha256: str) -> int | None:
        try:
            return self._folder.path(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def received(self, sha256: str) -> int:
        return self._folder.received(sha256)

    def open_upload(self, sha256: str, *, size: int, offset: int) -> Upload:
        return self._folder.open_upload(sha256, size=size, offset=offset)

    def open(self, sha256: str) -> BinaryIO:
        try:
            return self._folder.path(sha256).open("rb")
        except FileNotFoundError:
            raise NotFound(f"the controller has no blob {sha256[:12]}") from None

    def is_damaged(self, sha256: str) -> bool:
        try:
            self._folder.verify(sha256)
        except Corrupt as error:
            log.error("%s", error.message)
            return True
        except FileNotFoundError:
            return True  # somebody else found it a moment ago
        return False

    def remove(self, sha256: str) -> None:
        self._folder.path(sha256).unlink(missing_ok=True)

    def remove_unfinished(self, *, before_s: float) -> int:
        return self._folder.remove_unfinished(before_s=before_s)

    def inventory(self) -> Mapping[str, int]:
        objects = (self._folder.root / "objects").glob("*/*")
        return {path.name: path.stat().st_size for path in objects}
