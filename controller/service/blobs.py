"""Files in and out, verified and resumable. Hashing and disk run in threads, so that no transfer delays a Renew."""

import asyncio
import hashlib
import logging
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

import grpc

from controller.service.bounds import check_room
from controller.service.context import ServiceContext
from controller.service.files import lose, missing_files
from controller.service.identity import current_caller
from controller.service.possession import Possession
from controller.store.commands.blobs import keep_blobs
from jetfleet.blobs import BLOCK_BYTES, CHUNK_BYTES, check_digest
from jetfleet.errors import BadInput, Corrupt, Infrastructure, NotFound, WrongOffset
from jetfleet.sink import Sink
from jetfleet.v1 import blobs_pb2, blobs_pb2_grpc

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[object, object]

_MAX_STAT = 1000
_READ_BYTES = 8 * BLOCK_BYTES


class BlobService(blobs_pb2_grpc.BlobsServicer):
    def __init__(self, service: ServiceContext, possession: Possession) -> None:
        self._service, self._possession = service, possession
        self._blobs = service.blobs

    async def Stat(self, request: blobs_pb2.StatRequest, context: Context) -> blobs_pb2.StatResponse:
        if len(request.sha256) > _MAX_STAT:
            raise BadInput(f"{len(request.sha256)} digests in one Stat", expected=f"at most {_MAX_STAT}")
        missing = await missing_files(self._service, [check_digest(sha256) for sha256 in request.sha256])
        missing = sorted({*missing, *await self._possession.unproven(current_caller(), request.sha256)})
        received = await asyncio.to_thread(lambda: {sha256: self._blobs.received(sha256) for sha256 in missing})
        return blobs_pb2.StatResponse(
            entries=[
                blobs_pb2.StatResponse.Entry(
                    sha256=sha256, complete=sha256 not in received, received_bytes=received.get(sha256, 0)
                )
                for sha256 in request.sha256
            ]
        )

    async def Upload(
        self, request_iterator: AsyncIterator[blobs_pb2.UploadRequest], context: Context
    ) -> blobs_pb2.UploadResponse:
        first = await anext(aiter(request_iterator), None)
        if first is None or first.WhichOneof("part") != "header":
            raise BadInput("an upload must begin with its header")
        header = first.header
        caller = current_caller()
        await self._possession.refuse_unasked(caller, header.sha256, size_bytes=header.size_bytes)
        is_here = not await missing_files(self._service, [check_digest(header.sha256)])
        if is_here and not await self._possession.unproven(caller, [header.sha256]):
            return blobs_pb2.UploadResponse(size_bytes=header.size_bytes)
        if header.sha256 in self._service.deleting:
            raise Infrastructure(f"{header.sha256[:12]} is just being removed", hint="try again in a moment")
        options, announced = self._service.options, max(0, header.size_bytes - header.offset)
        await asyncio.to_thread(
            check_room, options.state_dir, size_bytes=announced, min_free_percent=options.min_free_percent
        )
        self._possession.announce(caller, announced)
        received = Received()
        try:
            await self._receive(header, request_iterator, received)
        finally:
            self._possession.note_unsent(caller, announced - received.size_bytes)
        await self._service.write(partial(keep_blobs, sizes={header.sha256: header.size_bytes}))
        self._service.recall.end([header.sha256])
        self._possession.note(caller, header.sha256)
        return blobs_pb2.UploadResponse(size_bytes=header.size_bytes)

    async def _receive(
        self,
        header: blobs_pb2.UploadHeader,
        parts: AsyncIterator[blobs_pb2.UploadRequest],
        received: "Received",
    ) -> None:
        upload = await asyncio.to_thread(
            self._blobs.open_upload, header.sha256, size=header.size_bytes, offset=header.offset
        )
        sink, complete = Sink(upload.write), False
        try:
            async for part in parts:
                if len(part.chunk) > CHUNK_BYTES:
                    raise BadInput(f"a chunk of {len(part.chunk)} bytes", expected=f"at most {CHUNK_BYTES}")
                received.size_bytes += len(part.chunk)
                await sink.add(part.chunk)
        finally:
            complete = await sink.finish(upload.close)
        if not complete:
            raise WrongOffset(f"upload of {header.sha256[:12]} ended after {upload.received} bytes: resume it")

    async def Download(
        self, request: blobs_pb2.DownloadRequest, context: Context
    ) -> AsyncIterator[blobs_pb2.DownloadResponse]:
        try:
            file = await asyncio.to_thread(self._blobs.open, check_digest(request.sha256))
        except NotFound:
            await lose(self._service, request.sha256)
            raise
        with file:
            size = file.seek(0, os.SEEK_END)
            if request.offset > size:
                raise WrongOffset(f"blob {request.sha256[:12]} has {size} bytes; {request.offset} is beyond its end")
            file.seek(0)
            content = HashedFile(file)
            await asyncio.to_thread(content.skip, request.offset)
            yield blobs_pb2.DownloadResponse(size_bytes=size)
            while data := await asyncio.to_thread(content.read, _READ_BYTES):
                for start in range(0, len(data), BLOCK_BYTES):
                    yield blobs_pb2.DownloadResponse(chunk=data[start : start + BLOCK_BYTES])
        if content.digest() != request.sha256:
            await self._set_aside(request.sha256)

    async def _set_aside(self, sha256: str) -> None:
        """What was sent is not what was asked for. Raises Corrupt: the receiver has noticed too, and asks again."""
        if await asyncio.to_thread(self._blobs.is_damaged, sha256):
            await lose(self._service, sha256)
            log.error("blob %s was damaged, and was set aside: agents that hold it are asked for it", sha256)
        raise Corrupt(f"blob {sha256[:12]} was read as other bytes than were stored")


@dataclass
class Received:
    """Of one upload."""

    size_bytes: int = 0


class HashedFile:
    """A file that is hashed as it is read, from its beginning."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash = file, hashlib.sha256()

    def skip(self, size_bytes: int) -> None:
        while size_bytes > 0 and (data := self.read(min(size_bytes, _READ_BYTES))):
            size_bytes -= len(data)

    def read(self, size_bytes: int) -> bytes:
        data = self._file.read(size_bytes)
        self._hash.update(data)
        return data

    def digest(self) -> str:
        return self._hash.hexdigest()
