"""What keeps the bytes of files, by digest. Whether a file is there is a question for the store's `blob` table."""

from collections.abc import Mapping
from typing import BinaryIO, Protocol


class BlobUpload(Protocol):
    """A file that arrives. Closed complete it is stored, incomplete it can be resumed."""

    received: int

    def write(self, block: bytes) -> None: ...

    def close(self) -> bool:
        """True if all of it is stored. Raises Corrupt if the bytes are not what their digest says."""
        ...


class BlobStore(Protocol):
    """All of it may block: call it in a thread, and never inside a transaction."""

    def size(self, sha256: str) -> int | None:
        """Bytes of a stored file; None if there is none."""
        ...

    def received(self, sha256: str) -> int:
        """Bytes of an upload that was broken off."""
        ...

    def open_upload(self, sha256: str, *, size: int, offset: int) -> BlobUpload:
        """Begins or continues an upload. Raises WrongOffset, DiskFull, Infrastructure."""
        ...

    def open(self, sha256: str) -> BinaryIO:
        """Raises NotFound."""
        ...

    def is_damaged(self, sha256: str) -> bool:
        """Reads a file again. One that is not what its digest says is set aside, and no longer stored."""
        ...

    def remove(self, sha256: str) -> None:
        """For good; who counts on it was told before."""
        ...

    def remove_unfinished(self, *, before_s: float) -> int:
        """Forgets uploads that nobody went on with since then (seconds of the epoch); how many."""
        ...

    def inventory(self) -> Mapping[str, int]:
        """The size of every stored file."""
        ...
