"""Many agents in one process that speak the Fleet service and do nothing: no child, no files, no clock but the wall's.

Each has a connection of its own, as boards do: gRPC would otherwise let all of them share one.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from agent.daemon.client import Link
from jetfleet.blobs import sha256_file
from jetfleet.rpc import CALL_METADATA, CHANNEL_OPTIONS
from jetfleet.transport import Credentials, open_aio_channel
from jetfleet.v1 import blobs_pb2, blobs_pb2_grpc, fleet_pb2, fleet_pb2_grpc, task_pb2

_OWN_CONNECTION = [*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
_CLAIM_WAIT_S = 20
_ENGINE = b"an engine of nothing\n"
_TOGETHER = 50  # agents that register at once
# With its last channel gRPC joins the thread that brings events to this loop; one that still has more of them than its
# pipe holds (277, of channels that were closed) waits for this loop, and both wait for ever (gRPC 1.76).
_DRAIN_S = 1.0


@dataclass
class Tally:
    """What all agents together did, by this process's monotonic clock."""

    builds: int = 0
    benches: int = 0
    committed_at: list[float] = field(default_factory=list)
    renew_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Membership:
    """A board that enrolled."""

    device_id: str
    credentials: Credentials


class FakeAgent:
    """`work_s` says how long a task pretends to take."""

    def __init__(
        self,
        address: str,
        number: int,
        tally: Tally,
        *,
        engine: task_pb2.Artifact,
        renew_every_s: float,
        labels: Mapping[str, str],
        arch: str,
        member: Membership | None = None,
    ) -> None:
        self._channel = open_aio_channel(address, member.credentials if member else None, options=_OWN_CONNECTION)
        self._stub = fleet_pb2_grpc.FleetStub(self._channel)
        self._name = f"board-{number:04d}"
        self._must_show = member is not None
        self._device_id = member.device_id if member else f"{self._name}-id"
        self._session = uuid.uuid4().hex
        self._tally, self._engine = tally, engine
        self._held = ""
        self._renew_every_s = renew_every_s
        self._labels, self._arch = labels, arch

    async def register(self) -> None:
        facts = task_pb2.Facts(arch=self._arch, simulated=True, runtimes={"simulated": "1.0"}, labels=self._labels)
        request = fleet_pb2.RegisterRequest(
            device_id=self._device_id,
            session_id=self._session,
            boot_id=f"{self._name}-boot",
            bench_domain=f"{self._name}-domain",
            agent_version="bench",
            facts=facts,
            name=self._name,
        )
        await self._stub.Register(request, metadata=CALL_METADATA, timeout=60)

    async def beat(self) -> None:
        """Renews for ever, and notes how long each answer took."""
        while True:
            await asyncio.sleep(self._renew_every_s)
            reports = [fleet_pb2.AttemptReport(attempt_token=self._held, running=True)] if self._held else []
            begin = time.perf_counter()
            request = fleet_pb2.RenewRequest(session_id=self._session, attempts=reports)
            await self._stub.Renew(request, metadata=CALL_METADATA, timeout=30)
            self._tally.renew_ms.append((time.perf_counter() - begin) * 1e3)

    async def work(self, *, work_s: Callable[[str], float]) -> None:
        """Claims and commits for ever."""
        while True:
            answer = await self._claim(wait_s=_CLAIM_WAIT_S)
            if answer.HasField("lease"):
                await self._do(answer.lease, work_s)

    async def ask(self) -> float:
        """Milliseconds until a claim that does not wait is answered. Raises ValueError if there was work."""
        begin = time.perf_counter()
        answer = await self._claim(wait_s=0)
        if answer.HasField("lease"):
            raise ValueError(f"{self._name} got task {answer.lease.task.task_id}")
        return (time.perf_counter() - begin) * 1e3

    async def wait(self) -> None:
        """Waits for work that never comes, for ever."""
        while True:
            await self._claim(wait_s=_CLAIM_WAIT_S)

    async def _claim(self, *, wait_s: int) -> fleet_pb2.ClaimResponse:
        request = fleet_pb2.ClaimRequest(session_id=self._session, request_id=uuid.uuid4().hex)
        request.wait.FromSeconds(wait_s)
        return await self._stub.Claim(request, metadata=CALL_METADATA, timeout=60)

    async def _do(self, lease: fleet_pb2.Lease, work_s: Callable[[str], float]) -> None:
        self._held = lease.attempt_token
        kind = "build" if lease.task.HasField("build") else "bench"
        if (pause_s := work_s(kind)) > 0:
            await asyncio.sleep(pause_s)
        if kind == "build" and self._must_show:
            await self._show_engine()
        outcome = measured() if kind == "bench" else task_pb2.Outcome(built=task_pb2.Built(engine=self._engine))
        request = fleet_pb2.CommitRequest(session_id=self._session, attempt_token=lease.attempt_token, outcome=outcome)
        self._held = ""
        await self._stub.Commit(request, metadata=CALL_METADATA, timeout=60)
        self._tally.committed_at.append(time.monotonic())
        self._tally.builds += kind == "build"
        self._tally.benches += kind == "bench"

    async def _show_engine(self) -> None:
        """A board may name as its own only what it has sent; here all send the same, one after the other."""
        header = blobs_pb2.UploadHeader(sha256=self._engine.sha256, size_bytes=len(_ENGINE))
        parts = [blobs_pb2.UploadRequest(header=header), blobs_pb2.UploadRequest(chunk=_ENGINE)]
        while self._must_show:
            try:
                await blobs_pb2_grpc.BlobsStub(self._channel).Upload(iter(parts), metadata=CALL_METADATA, timeout=60)
                self._must_show = False
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        await self._channel.close()


def measured() -> task_pb2.Outcome:
    """The smallest VALID measurement."""
    item = task_pb2.Measurement(subject_index=0, provenance=task_pb2.PROVENANCE_SIMULATED, n=500)
    for name, value in (("p50_ms", 2.0), ("p90_ms", 2.1), ("p99_ms", 2.2)):
        item.metrics[name].value = value
    return task_pb2.Outcome(measured=task_pb2.Measured(measurements=[item]))


def no_work(_kind: str) -> float:
    return 0.0


@contextlib.asynccontextmanager
async def agents(
    address: str,
    count: int,
    *,
    engine: task_pb2.Artifact,
    renew_every_s: float = 5.0,
    labels: Mapping[str, str] | None = None,
    arch: str = "aarch64",
    first: int = 0,
    members: Sequence[Membership] | None = None,
) -> "AsyncIterator[tuple[list[FakeAgent], Tally]]":
    """Registered agents that renew, over TLS where they are `members`. They are numbered from `first`; no two on one
    controller may share a number.
    """
    tally = Tally()
    made = [
        FakeAgent(
            address,
            number,
            tally,
            engine=engine,
            renew_every_s=renew_every_s,
            labels=labels or {},
            arch=arch,
            member=members[number - first] if members else None,
        )
        for number in range(first, first + count)
    ]
    for begin in range(0, count, _TOGETHER):
        await asyncio.gather(*(item.register() for item in made[begin : begin + _TOGETHER]))
    async with background(*(item.beat for item in made)):
        yield made, tally
    for item in made:  # one by one: of hundreds closed at once, gRPC leaves some open
        await item.close()
        await asyncio.sleep(0)
    await asyncio.sleep(_DRAIN_S)


@contextlib.asynccontextmanager
async def background(*steps: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Runs endless coroutines beside the body; what one of them raises ends the run."""
    tasks = [asyncio.ensure_future(step()) for step in steps]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def put_engine(address: str, folder: Path) -> task_pb2.Artifact:
    """Uploads what every agent will say it built: a commit must not name files that the controller lacks."""
    path = folder / "engine"
    path.write_bytes(_ENGINE)
    sha256 = sha256_file(path)
    async with Link(address) as link:
        await link.upload(sha256, path)
    size = path.stat().st_size
    return task_pb2.Artifact(role=task_pb2.ARTIFACT_ROLE_ENGINE, name="engine", sha256=sha256, size_bytes=size)
