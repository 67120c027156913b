"""Files to and from the controller's blob store: only what the other side lacks, from where it stopped, verified.

The server hashes an upload before it answers; a download is hashed here before it gets its name.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import grpc

from controller.client.link import Patience, messages, persistent
from jetfleet.blobs import check_digest, chunks, sha256_file
from jetfleet.errors import BadInput, Corrupt, Infrastructure, JetfleetError, NotFound, Unreachable, WrongOffset
from jetfleet.rpc import CALL_METADATA, raising
from jetfleet.v1 import blobs_pb2, blobs_pb2_grpc

# Called with bytes now known to the other side, and bytes in all.
OnProgress: TypeAlias = Callable[[int, int], None]

_STAT_DIGESTS = 1000
_TRIES = 5


class Transfer:
    """Uploads and downloads over one channel."""

    def __init__(self, channel: grpc.Channel, *, address: str, timeout_s: float, patience_s: float) -> None:
        stub = blobs_pb2_grpc.BlobsStub(channel)
        self._address, self._timeout_s, self._patience_s = address, timeout_s, patience_s
        self._stat = raising(stub.Stat, address=address)
        self._upload = raising(stub.Upload, address=address)
        self._download = stub.Download

    def upload(self, files: Mapping[str, Path], *, on_progress: OnProgress | None = None) -> int:
        """Sends the files that the controller lacks; returns how many bytes that were. Keys are digests."""
        missing = [sha for sha, entry in self._stats(list(files)).items() if not entry.complete]
        sizes = {sha: _size(files[sha]) for sha in missing}
        total, before = sum(sizes.values()), 0
        for sha in missing:
            self._send(sha, files[sha], on_sent=_part_of(before, total, on_progress))
            before += sizes[sha]
        return total

    def download(self, sha256: str, path: Path, *, on_progress: OnProgress | None = None) -> None:
        """Fetches a blob into `path`, continuing `path`.part if one is there. Raises NotFound, Corrupt."""
        check_digest(sha256)
        part = path.with_name(f"{path.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._fetch(sha256, part, on_progress=on_progress)
            part.replace(path)
        finally:
            if part.exists() and not part.stat().st_size:
                part.unlink()  # nothing came: nothing to continue from

    def _fetch(self, sha256: str, part: Path, *, on_progress: OnProgress | None) -> None:
        """Fills `part` and checks it. What an earlier try left may be of another file: then once more, from 0."""
        found = "more than there is"
        for _ in range(2):
            try:
                self._receive(sha256, part, on_progress=on_progress)
            except WrongOffset:
                part.unlink()
                continue
            found = sha256_file(part)
            if found == sha256:
                return
            part.unlink()
        raise Corrupt(f"{sha256[:12]} arrived as {found[:18]}", where=self._address)

    def _stats(self, digests: Sequence[str]) -> dict[str, blobs_pb2.StatResponse.Entry]:
        found: dict[str, blobs_pb2.StatResponse.Entry] = {}
        for start in range(0, len(digests), _STAT_DIGESTS):
            request = blobs_pb2.StatRequest(sha256=digests[start : start + _STAT_DIGESTS])
            reply: blobs_pb2.StatResponse = persistent(
                partial(self._stat, request, timeout=self._timeout_s), patience=Patience(self._patience_s)
            )
            found |= {entry.sha256: entry for entry in reply.entries}
        return found

    def _send(self, sha256: str, path: Path, *, on_sent: Callable[[int], None]) -> None:
        """One file, asked anew where to continue after every fault."""
        patience, faults = Patience(self._patience_s), 0
        while True:
            entry = self._stats([sha256])[sha256]
            if entry.complete:
                return
            try:
                self._send_rest(sha256, path, offset=entry.received_bytes, on_sent=on_sent)
                return
            except Unreachable as error:
                patience.wait(error)
            except (WrongOffset, Corrupt) as error:
                faults += 1
                _check_unchanged(path, sha256)
                if faults == _TRIES:
                    raise
                # WrongOffset: somebody else is sending the same file; it may be complete in a moment.
                patience.wait(error)

    def _send_rest(self, sha256: str, path: Path, *, offset: int, on_sent: Callable[[int], None]) -> None:
        size = _size(path)
        faults: list[Exception] = []
        parts = _noting(_parts(sha256, path, offset=offset, on_sent=on_sent), faults)
        try:
            reply: blobs_pb2.UploadResponse = self._upload(parts)
        except JetfleetError:
            if faults:
                raise faults[0] from None
            raise
        if reply.size_bytes != size:
            raise Infrastructure(f"the controller stored {reply.size_bytes} of {size} bytes of {path}")

    def _receive(self, sha256: str, part: Path, *, on_progress: OnProgress | None) -> None:
        """Appends to `part` until all bytes are there."""
        patience = Patience(self._patience_s)
        while lost := self._receive_more(sha256, part, patience, on_progress=on_progress):
            patience.wait(lost)

    def _receive_more(
        self, sha256: str, part: Path, patience: Patience, *, on_progress: OnProgress | None
    ) -> JetfleetError | None:
        """One stream. Returns the error that cut it short; None: all bytes are there."""
        total = 0
        with part.open("ab") as sink:
            request = blobs_pb2.DownloadRequest(sha256=sha256, offset=sink.tell())
            for item in messages(self._download(request, metadata=tuple(CALL_METADATA)), address=self._address):
                if isinstance(item, JetfleetError):
                    return item
                total = item.size_bytes or total
                sink.write(item.chunk)
                patience.renew()
                if on_progress:
                    on_progress(sink.tell(), total)
        return None


def _noting(parts: Iterator[blobs_pb2.UploadRequest], faults: list[Exception]) -> Iterator[blobs_pb2.UploadRequest]:
    """The same, and what reading it ended with: gRPC only says that it did."""
    try:
        yield from parts
    except (OSError, JetfleetError) as error:
        faults.append(error)
        raise


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise NotFound(f"cannot read: {error.strerror}", where=str(path)) from None


def _check_unchanged(path: Path, sha256: str) -> None:
    if sha256_file(path) != sha256:
        raise BadInput("the file changed while the job was being submitted", where=str(path), hint="submit again")


def _parts(
    sha256: str, path: Path, *, offset: int, on_sent: Callable[[int], None]
) -> Iterator[blobs_pb2.UploadRequest]:
    header = blobs_pb2.UploadHeader(sha256=sha256, size_bytes=_size(path), offset=offset)
    yield blobs_pb2.UploadRequest(header=header)
    for chunk in chunks(path, offset=offset):
        yield blobs_pb2.UploadRequest(chunk=chunk)
        offset += len(chunk)
        on_sent(offset)


def _part_of(before: int, total: int, on_progress: OnProgress | None) -> Callable[[int], None]:
    """Turns a file's progress into the whole upload's."""

    def on_sent(sent: int) -> None:
        if on_progress:
            on_progress(before + sent, total)

    return on_sent
