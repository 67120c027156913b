"""Files through the Blobs service over loopback, against a bare socket that hashes the same bytes in the same run.

The rates are of whole transfers of one file, agent's client to controller's service and back. "Discard" keeps nothing
at the far end; "write" is made durable there.
"""

import asyncio
import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median

import grpc

from agent.daemon.client import Link
from benchmarks.figure import Figure, main
from benchmarks.processes import controller, scratch
from jetfleet.blobs import CHUNK_BYTES, BlobDir, chunks, sha256_file
from jetfleet.errors import JetfleetError
from jetfleet.rpc import CALL_METADATA, CHANNEL_OPTIONS
from jetfleet.sink import Sink
from jetfleet.v1 import blobs_pb2, blobs_pb2_grpc, task_pb2
from testing.processes import BrokenRun, ControllerProcess


async def blobs(tiny: bool) -> list[Figure]:
    size_mb, rounds = (4, 1) if tiny else (256, 3)
    taken: dict[str, list[float]] = {name: [] for name in ("raw", "raw write", "down", "up")}
    with scratch() as folder, controller(folder) as served:
        for number in range(rounds):  # interleaved: a busy machine slows all of them
            path = _file(folder / f"file-{number}", size_mb)
            taken["raw"].append(_raw(path, None))
            taken["raw write"].append(_raw(path, folder / "sink"))
            taken["up"].append(await _upload(served, path))
            taken["down"].append(await _download(served, sha256_file(path), size_mb))
            path.unlink()
        resumed = await _resume(served, folder, 4 if tiny else 500)
    rate = {name: size_mb / median(seconds) for name, seconds in taken.items()}
    return [
        Figure("raw socket + SHA-256, discard", rate["raw"], "MiB/s"),
        Figure("download + SHA-256, discard", rate["down"], "MiB/s"),
        Figure("of the raw socket", rate["down"] / rate["raw"] * 100, "%", at_least=40),
        Figure("raw socket + SHA-256 + write + fsync", rate["raw write"], "MiB/s"),
        Figure("upload, verified and durable", rate["up"], "MiB/s"),
        Figure("of the raw socket", rate["up"] / rate["raw write"] * 100, "%", at_least=60),
        resumed,
    ]


def _file(path: Path, size_mb: int) -> Path:
    with path.open("wb") as sink:
        for _ in range(size_mb):
            sink.write(os.urandom(1 << 20))
    return path


def _raw(path: Path, sink: Path | None) -> float:
    """Seconds that one file takes through a socket, hashed by the receiver."""
    listener = socket.create_server(("127.0.0.1", 0))
    sender = threading.Thread(target=_send, args=(listener.getsockname(), path))
    begin = time.perf_counter()
    sender.start()
    connection, _ = listener.accept()
    found = hashlib.sha256()
    with connection, listener, sink.open("wb") if sink else open(os.devnull, "wb") as file:
        buffer = bytearray(CHUNK_BYTES)
        while count := connection.recv_into(buffer):
            found.update(memoryview(buffer)[:count])
            if sink:
                file.write(memoryview(buffer)[:count])
        if sink:
            file.flush()
            os.fsync(file.fileno())
    sender.join()
    return time.perf_counter() - begin


def _send(address: tuple[str, int], path: Path) -> None:
    with socket.create_connection(address) as connection:
        for block in chunks(path):
            connection.sendall(block)


async def _upload(served: ControllerProcess, path: Path) -> float:
    sha256 = sha256_file(path)
    async with Link(served.address) as link:
        begin = time.perf_counter()
        await link.upload(sha256, path)
        return time.perf_counter() - begin


async def _download(served: ControllerProcess, sha256: str, size_mb: int) -> float:
    """Hashes what comes and keeps nothing."""
    async with grpc.aio.insecure_channel(served.address, options=CHANNEL_OPTIONS) as channel:
        begin = time.perf_counter()
        found = hashlib.sha256()
        call = blobs_pb2_grpc.BlobsStub(channel).Download(
            blobs_pb2.DownloadRequest(sha256=sha256), metadata=CALL_METADATA
        )
        sink = Sink(found.update)
        async for answer in call:
            await sink.add(answer.chunk)
        await sink.flush()
        if found.hexdigest() != sha256:
            raise BrokenRun(f"{size_mb} MiB came back as something else")
        return time.perf_counter() - begin


async def _resume(served: ControllerProcess, folder: Path, size_mb: int) -> Figure:
    """Cuts a download in the middle, goes on, and counts what crossed the wire in all."""
    path = _file(folder / "long", size_mb)
    sha256, size = sha256_file(path), path.stat().st_size
    async with Link(served.address) as link:
        await link.upload(sha256, path)
    proxy = await _Proxy.open(served.address, folder / "proxy.sock", cut_at=size // 2)
    here = BlobDir(folder / "here")
    async with Link(proxy.address) as link:
        with suppress(JetfleetError):
            await _fetch(link, sha256, size, here)
        await _fetch(link, sha256, size, here)
    await proxy.close()
    if not here.has(sha256) or not proxy.is_cut:
        raise BrokenRun(f"the transfer was not cut at {size // 2} of {size} bytes, or did not end well")
    again = max(0.0, proxy.sent - size) / size * 100
    note = f"{size_mb} MiB cut in the middle; framing included"
    return Figure("sent again after an interruption", again, "% of the file", at_most=1, note=note)


async def _fetch(link: Link, sha256: str, size: int, blobs: BlobDir) -> None:
    await link.download(task_pb2.Artifact(sha256=sha256, size_bytes=size), blobs)


class _Proxy:
    """A forwarder between two sockets that counts what the controller sends, and cuts each connection once."""

    address: str

    def __init__(self, target: str, cut_at: int) -> None:
        self._target, self._cut_at = target.removeprefix("unix:"), cut_at
        self._writers: list[asyncio.StreamWriter] = []
        self.is_cut = False
        self.sent = 0

    @classmethod
    async def open(cls, target: str, path: Path, *, cut_at: int) -> "_Proxy":
        proxy = cls(target, cut_at)
        proxy._server = await asyncio.start_unix_server(proxy._serve, path)
        await asyncio.to_thread(path.chmod, 0o600)
        proxy.address = f"unix:{path}"
        return proxy

    _server: asyncio.Server

    async def close(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_unix_connection(self._target)
        self._writers += [writer, upstream_writer]
        with suppress(asyncio.CancelledError):  # the run is over
            await asyncio.gather(
                _pump(reader, upstream_writer, lambda _: None), _pump(upstream_reader, writer, self._count)
            )

    def _count(self, size: int) -> None:
        self.sent += size
        if self.sent >= self._cut_at and not self.is_cut:
            self.is_cut = True
            for writer in self._writers:
                writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: Callable[[int], None]) -> None:
    with suppress(OSError):
        while block := await reader.read(1 << 18):
            count(len(block))
            writer.write(block)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    main("blobs", blobs)
