"""What TLS costs: the same work through a controller's socket, in plain text, and through its ports, in the same run.

Interleaved, so that a busy machine slows both. The socket is a Unix one: what TCP costs is in the difference too.
"""

import asyncio
import hashlib
import resource
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

from agent.daemon.client import Link
from benchmarks.agents import Membership, agents, background, no_work, put_engine
from benchmarks.figure import Figure, main
from benchmarks.processes import controller, scratch
from benchmarks.work import simulated_spec
from controller.api.client import Client
from jetfleet.blobs import sha256_file
from jetfleet.certificates import make_key, make_request
from jetfleet.rpc import CALL_METADATA, CHANNEL_OPTIONS
from jetfleet.transport import Credentials, open_aio_channel, open_channel
from jetfleet.v1 import blobs_pb2, blobs_pb2_grpc, enrolment_pb2, enrolment_pb2_grpc
from testing.access import authority_of, person_credentials
from testing.processes import BrokenRun, ControllerProcess


async def tls(tiny: bool) -> list[Figure]:
    return [*await _files(tiny), *await _dispatch(tiny), *await _idle(tiny)]


async def _files(tiny: bool) -> list[Figure]:
    size_mb, rounds = (4, 1) if tiny else (256, 3)
    taken: dict[str, list[float]] = {"plain": [], "tls": []}
    with scratch() as folder, controller(folder) as served:
        path = folder / "file"
        path.write_bytes(hashlib.sha256(b"0").digest() * (size_mb << 15))
        async with Link(served.address) as link:
            await link.upload(sha256_file(path), path)
        with Client(served.address) as owner:
            person = person_credentials(owner, served, name="bench", scope="admin")
        for _ in range(rounds):
            taken["plain"].append(await _download(served.address, None, sha256_file(path)))
            taken["tls"].append(await _download(served.people_address, person, sha256_file(path)))
    plain, secured = (size_mb / median(taken[way]) for way in ("plain", "tls"))
    return [
        Figure("download, plain text on the socket", plain, "MiB/s"),
        Figure("download, TLS", secured, "MiB/s"),
        Figure("of it lost to TLS and TCP", (1 - secured / plain) * 100, "%", at_most=20),
    ]


async def _download(address: str, credentials: Credentials | None, sha256: str) -> float:
    """Seconds; hashes what comes and keeps nothing."""
    async with open_aio_channel(address, credentials, options=CHANNEL_OPTIONS) as channel:
        begin, found = time.perf_counter(), hashlib.sha256()
        request = blobs_pb2.DownloadRequest(sha256=sha256)
        async for answer in blobs_pb2_grpc.BlobsStub(channel).Download(request, metadata=CALL_METADATA):
            found.update(answer.chunk)
        if found.hexdigest() != sha256:
            raise BrokenRun("the file came back as something else")
        return time.perf_counter() - begin


async def _dispatch(tiny: bool) -> list[Figure]:
    count, variants, rounds = (3, 3, 1) if tiny else (50, 30, 3)
    rates: dict[str, list[float]] = {"plain": [], "tls": []}
    with scratch() as folder, controller(folder / "plain") as plain, controller(folder / "tls") as secured:
        members = await asyncio.to_thread(enrolled, secured, count)
        for number in range(rounds):
            rates["plain"].append(await _burst(plain, None, folder, count, variants, number))
            rates["tls"].append(await _burst(secured, members, folder, count, variants, number))
    before, after = median(rates["plain"]), median(rates["tls"])
    return [
        Figure("dispatch, plain text on the socket", before, "tasks/s", note=f"{count} agents"),
        Figure("dispatch, TLS", after, "tasks/s"),
        Figure("of it lost to TLS, TCP and access", (1 - after / before) * 100, "%", at_most=10),
    ]


async def _burst(
    served: ControllerProcess,
    members: Sequence[Membership] | None,
    folder: Path,
    count: int,
    variants: int,
    number: int,
) -> float:
    """Tasks per second, from the acknowledged submit to the last commit."""
    engine = await put_engine(served.address, folder)
    address = served.agents_address if members else served.address
    async with (
        agents(address, count, engine=engine, members=members) as (fleet, tally),
        background(*(partial(item.work, work_s=no_work) for item in fleet)),
    ):
        with served.client() as client:
            spec = simulated_spec(f"burst {number}", variants=variants)
            job = (await asyncio.to_thread(client.submit_spec, spec, {})).job_id
            begin, total = time.monotonic(), len(client.job(job).tasks)
        while len(tally.committed_at) < total:
            if time.monotonic() - begin > 120:
                raise BrokenRun(f"{len(tally.committed_at)} of {total} tasks were done in two minutes")
            await asyncio.sleep(0.02)
    return total / (max(tally.committed_at) - begin)


async def _idle(tiny: bool) -> list[Figure]:
    count, window_s = (3, 0.3) if tiny else (1000, 30.0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with scratch() as folder, controller(folder) as served:
        members = await asyncio.to_thread(enrolled, served, count)
        engine = await put_engine(served.address, folder)
        async with (
            agents(served.agents_address, count, engine=engine, members=members) as (fleet, _),
            background(*(item.wait for item in fleet)),
        ):
            await asyncio.sleep(min(6.0, window_s))
            before = served.cpu_s()
            await asyncio.sleep(window_s)
            cores = (served.cpu_s() - before) / window_s
            resident = served.rss_mb()
    return [
        Figure(f"controller with {count} agents over TLS, idle", cores, "cores", at_most=1),
        Figure("its memory, resident", resident, "MB", at_most=400),
    ]


def enrolled(served: ControllerProcess, count: int) -> list[Membership]:
    """Boards that enrolled."""
    found = []
    with Client(served.address) as owner, open_channel(served.people_address, Credentials(authority_of(served))) as way:
        stub = enrolment_pb2_grpc.EnrolmentStub(way)
        for number in range(count):
            key = make_key()
            request = enrolment_pb2.EnrollRequest(
                secret=owner.access().invite(name=f"board-{number:04d}").secret,
                device_id=f"{number:032x}",
                csr_pem=make_request(key),
            )
            answer = stub.Enroll(request, metadata=CALL_METADATA, timeout=30)
            credentials = Credentials(authority_of(served), key_pem=key, certificate_pem=answer.certificate_pem)
            found.append(Membership(answer.device_id, credentials))
    return found


if __name__ == "__main__":
    main("tls", tls)
