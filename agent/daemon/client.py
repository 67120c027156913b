"""The agent's typed calls to the controller: unary calls, and files up and down, verified and resumed.

Raises the project's exceptions only. Retrying is the daemon's business: it alone knows what a delay costs.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from jetfleet.blobs import BlobDir, chunks
from jetfleet.errors import Corrupt, Infrastructure, Unreachable, WrongOffset
from jetfleet.handshake import explain_refusal
from jetfleet.rpc import CALL_METADATA, CHANNEL_OPTIONS, from_status
from jetfleet.sink import Sink
from jetfleet.transport import Credentials, open_aio_channel
from jetfleet.v1 import (
    blobs_pb2,
    blobs_pb2_grpc,
    control_pb2,
    control_pb2_grpc,
    enrolment_pb2,
    enrolment_pb2_grpc,
    fleet_pb2,
    fleet_pb2_grpc,
    task_pb2,
)

# A call that has not been answered by then is lost: longer than any healthy answer, shorter than a lease...
_CALL_S = 10.0
_SLOWEST_BYTES_PER_S = 16 << 10  # ...and for a large message as much longer as a poor link needs
_STALL_S = 60.0  # a transfer that moved nothing for so long is given up and resumed; how long it takes in all is open
_OWN_CONNECTION = ("grpc.use_local_subchannel_pool", 1)  # else channels with one address share one connection
# Behind a file that goes out slowly, the answer to a keepalive ping waits as long as a kernel's buffer takes to drain.
_SLOW_KEEPALIVE = ("grpc.keepalive_timeout_ms", 60_000)
_HAND_OVER_S = 60.0
_TRANSFERS = 5  # times in a row that a transfer brought nothing before it counts as failed


class Link:
    """Two connections to one controller: heartbeats have their own, so that no file is in their way.

    Use it as an asynchronous context.
    """

    def __init__(self, address: str, credentials: Credentials | None = None) -> None:
        self.address = address
        self._open(credentials)

    def _open(self, credentials: Credentials | None) -> None:
        self.credentials = credentials
        self._pulse = open_aio_channel(self.address, credentials, options=[*CHANNEL_OPTIONS, _OWN_CONNECTION])
        patient = [option for option in CHANNEL_OPTIONS if option[0] != _SLOW_KEEPALIVE[0]]
        self._channel = open_aio_channel(
            self.address, credentials, options=[*patient, _SLOW_KEEPALIVE, _OWN_CONNECTION]
        )
        self._renewals = fleet_pb2_grpc.FleetStub(self._pulse)
        self._fleet = fleet_pb2_grpc.FleetStub(self._channel)
        self._blobs = blobs_pb2_grpc.BlobsStub(self._channel)

    async def __aenter__(self) -> "Link":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()
        await self._pulse.close()

    async def register(self, request: fleet_pb2.RegisterRequest) -> fleet_pb2.RegisterResponse:
        """Raises Unauthenticated where the controller is another one than this board enrolled at."""
        try:
            answer: fleet_pb2.RegisterResponse = await self._call(self._fleet.Register, request)
        except Unreachable as error:
            if self.credentials is None:
                raise
            raise await asyncio.to_thread(explain_refusal, self.address, self.credentials.ca_pem, error) from None
        return answer

    async def renew_certificate(self, csr_pem: bytes) -> enrolment_pb2.RenewCertificateResponse:
        stub = enrolment_pb2_grpc.EnrolmentStub(self._channel)
        request = enrolment_pb2.RenewCertificateRequest(csr_pem=csr_pem)
        answer: enrolment_pb2.RenewCertificateResponse = await self._call(stub.RenewCertificate, request)
        return answer

    async def use(self, credentials: Credentials) -> None:
        """New connections with these; what is under way on the old ones has time to end."""
        old = (self._channel, self._pulse)
        self._open(credentials)
        await asyncio.gather(*(channel.close(grace=_HAND_OVER_S) for channel in old))

    async def hello(self, *, timeout_s: float) -> control_pb2.HelloResponse:
        """Who answers there: for people who look whether it does, never for the agent's work."""
        stub = control_pb2_grpc.ControlStub(self._channel)
        answer: control_pb2.HelloResponse = await self._call(
            stub.Hello, control_pb2.HelloRequest(), timeout_s=timeout_s
        )
        return answer

    async def claim(
        self, session_id: str, request_id: str, wait_s: float, idle_exit_s: float | None
    ) -> fleet_pb2.ClaimResponse:
        """Waits up to `wait_s` for work. The same request_id gets the same lease. `idle_exit_s`: it ends when idle."""
        may_leave = idle_exit_s is not None
        request = fleet_pb2.ClaimRequest(session_id=session_id, request_id=request_id, may_leave=may_leave)
        request.wait.FromMilliseconds(round(wait_s * 1000))
        answer: fleet_pb2.ClaimResponse = await self._call(self._fleet.Claim, request, timeout_s=wait_s + _CALL_S)
        return answer

    async def renew(self, request: fleet_pb2.RenewRequest, *, timeout_s: float) -> fleet_pb2.RenewResponse:
        answer: fleet_pb2.RenewResponse = await self._call(self._renewals.Renew, request, timeout_s=timeout_s)
        return answer

    async def commit(self, session_id: str, token: str, outcome: task_pb2.Outcome) -> str:
        request = fleet_pb2.CommitRequest(session_id=session_id, attempt_token=token, outcome=outcome)
        timeout_s = _CALL_S + request.ByteSize() / _SLOWEST_BYTES_PER_S
        answer: fleet_pb2.CommitResponse = await self._call(self._fleet.Commit, request, timeout_s=timeout_s)
        return answer.task_state

    async def leave(self, session_id: str, reason: str) -> None:
        await self._call(self._fleet.Leave, fleet_pb2.LeaveRequest(session_id=session_id, reason=reason))

    async def download(self, artifact: task_pb2.Artifact, blobs: BlobDir) -> None:
        """Brings a file into `blobs`. A broken link is resumed, a flipped bit fetched again.

        Raises Corrupt after several tries that brought nothing.
        """
        tries = 0
        while True:
            received = blobs.received(artifact.sha256)
            try:
                return await self._download(artifact, blobs)
            except Corrupt:
                tries = 0 if blobs.received(artifact.sha256) > received else tries + 1
                if tries == _TRANSFERS:
                    raise

    async def upload(self, sha256: str, path: Path) -> None:
        """Sends a file unless the controller has it; continues where an earlier try stopped."""
        tries, most = 0, 0
        while tries < _TRANSFERS:
            entry = await self._stat(sha256)
            if entry.complete:
                return
            tries, most = (0, entry.received_bytes) if entry.received_bytes > most else (tries + 1, most)
            try:
                return await self._upload(sha256, path, offset=entry.received_bytes)
            except (WrongOffset, Corrupt):
                continue
        raise Infrastructure(f"file {sha256[:12]} could not be uploaded in {_TRANSFERS} tries")

    async def _stat(self, sha256: str) -> blobs_pb2.StatResponse.Entry:
        answer: blobs_pb2.StatResponse = await self._call(self._blobs.Stat, blobs_pb2.StatRequest(sha256=[sha256]))
        return answer.entries[0]

    async def _upload(self, sha256: str, path: Path, *, offset: int) -> None:
        size = await asyncio.to_thread(os.path.getsize, path)
        sent = 0

        async def parts() -> AsyncIterator[blobs_pb2.UploadRequest]:
            nonlocal sent
            header = blobs_pb2.UploadHeader(sha256=sha256, size_bytes=size, offset=offset)
            yield blobs_pb2.UploadRequest(header=header)
            for block in chunks(path, offset=offset):
                yield blobs_pb2.UploadRequest(chunk=block)
                sent += 1

        call = self._blobs.Upload(parts(), metadata=CALL_METADATA)
        done = asyncio.ensure_future(_answer(call))
        try:
            before = -1
            while before != sent and not done.done():  # as long as it moves
                before = sent
                await asyncio.wait({done}, timeout=_STALL_S)
            if not done.done():
                raise Unreachable(f"file {sha256[:12]} did not move for {_STALL_S:.0f} s", where=self.address)
            await done
        except grpc.RpcError as error:
            raise from_status(error, address=self.address) from None
        finally:
            call.cancel()
            done.cancel()
            await asyncio.wait({done})

    async def _download(self, artifact: task_pb2.Artifact, blobs: BlobDir) -> None:
        sha256, size = artifact.sha256, artifact.size_bytes
        upload = await asyncio.to_thread(blobs.open_upload, sha256, size=size, offset=blobs.received(sha256))
        sink, complete = Sink(upload.write), False
        call = self._blobs.Download(
            blobs_pb2.DownloadRequest(sha256=sha256, offset=upload.received), metadata=CALL_METADATA
        )
        try:
            while True:
                answer: Any = await asyncio.wait_for(call.read(), _STALL_S)
                if answer is grpc.aio.EOF:
                    break
                if answer.chunk:
                    await sink.add(answer.chunk)
        except grpc.RpcError as error:
            raise from_status(error, address=self.address) from None
        except asyncio.TimeoutError:
            raise Unreachable(f"file {sha256[:12]} did not move for {_STALL_S:.0f} s", where=self.address) from None
        finally:
            call.cancel()
            complete = await sink.finish(upload.close)
        if not complete:
            raise Corrupt(f"file {sha256[:12]} ended after {upload.received} of {size} bytes")

    async def _call(self, method: Any, request: Any, *, timeout_s: float = _CALL_S) -> Any:
        try:
            return await method(request, timeout=timeout_s, metadata=CALL_METADATA)
        except grpc.RpcError as error:
            raise from_status(error, address=self.address) from None


async def _answer(call: Any) -> Any:
    """A call is awaitable and no coroutine, which a task needs."""
    return await call
