"""Wires the controller together and runs it: one state folder, one owner, drained on SIGTERM."""

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from jetfleet import lowest_tls as lowest_tls  # before grpc

# isort: split
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from controller.service.access import without_row
from controller.service.administration import AccessService
from controller.service.audit import CONTROLLER
from controller.service.blobs import BlobService
from controller.service.certification import Certification
from controller.service.context import ServiceContext, open_context
from controller.service.control import ControlService
from controller.service.deeds import start_of
from controller.service.directory import Directory
from controller.service.enrolment import EnrolmentService
from controller.service.fleet import FleetService
from controller.service.interceptor import Interceptor
from controller.service.listeners import (
    ADDRESS_FILE,
    AGENTS_FILE,
    METRICS_FILE,
    address_for_boards,
    allow_connections,
    bind_port,
    bind_socket,
    close_socket,
    own_names,
)
from controller.service.metrics_port import MetricsPort
from controller.service.options import ServeOptions
from controller.service.ownership import Ownership
from controller.service.possession import Possession
from controller.service.reaper import adopt, reap
from controller.service.refusals import Refusals
from controller.service.retention import retain
from controller.service.scrape import Scrape
from controller.service.seals import AuditSeals
from controller.service.state_folder import prepare
from controller.service.strangers import Strangers
from controller.store.commands.audit import note_deed
from jetfleet.address import check_address, socket_path, split_address
from jetfleet.errors import StateLocked
from jetfleet.rpc import SERVER_OPTIONS
from jetfleet.service_manager import ServiceManager
from jetfleet.transport import agents_credentials, people_credentials
from jetfleet.v1 import (
    access_pb2,
    access_pb2_grpc,
    blobs_pb2,
    blobs_pb2_grpc,
    control_pb2,
    control_pb2_grpc,
    enrolment_pb2,
    enrolment_pb2_grpc,
    fleet_pb2,
    fleet_pb2_grpc,
)

if TYPE_CHECKING:
    from controller.authority.authority import Authority

log = logging.getLogger(__name__)

_OWN = (access_pb2, blobs_pb2, control_pb2, enrolment_pb2, fleet_pb2)
SERVICES = [
    item for module in (*_OWN, health_pb2, reflection_pb2) for item in module.DESCRIPTOR.services_by_name.values()
]
_OWN_NAMES = [item.full_name for module in _OWN for item in module.DESCRIPTOR.services_by_name.values()]


def serve(options: ServeOptions) -> None:
    """Runs a controller until SIGTERM, SIGINT or, embedded, idleness.

    Raises StateLocked, PortTaken, DatabaseTooNew, DiskFull, BadInput.
    """
    for option, address in (("--listen", options.listen), ("--agents", options.agents), ("--metrics", options.metrics)):
        if address is not None:
            check_address(address, where=option, least_port=0)
    allow_connections()
    prepare(options.state_dir, accept_empty_database=options.accept_empty_database)
    with _owned(options.state_dir):
        asyncio.run(_serve(options))


@contextlib.contextmanager
def _owned(state_dir: Path) -> Iterator[None]:
    """Holds the state folder's lock for as long as this process lives."""
    handle = os.open(state_dir / "controller.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(handle, 20, 0).decode().strip() or "unknown"
            raise StateLocked(
                f"another controller (process {owner}) owns {state_dir}",
                hint="stop it, or use another --state folder",
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


async def _serve(options: ServeOptions) -> None:
    manager = ServiceManager({} if options.embedded else os.environ)  # an embedded one is nobody's service
    service = open_context(options)
    directory, authority = Directory(), cache(partial(_open_authority, options))
    certification, possession = Certification(service, directory, authority), Possession(service)
    control, healthy = ControlService(service, certification), health.aio.HealthServicer()
    refusals, strangers = Refusals(service), Strangers()
    gate = Interceptor(directory, Ownership(service), refusals, service, strangers)
    server = grpc.aio.server(interceptors=[gate], options=SERVER_OPTIONS)
    metrics = MetricsPort(
        directory, refusals, scrape=Scrape(service).text, is_serving=lambda: not service.stopping.is_set()
    )
    access_pb2_grpc.add_AccessServicer_to_server(AccessService(service, directory, certification), server)
    blobs_pb2_grpc.add_BlobsServicer_to_server(BlobService(service, possession), server)
    control_pb2_grpc.add_ControlServicer_to_server(control, server)
    enrolment_pb2_grpc.add_EnrolmentServicer_to_server(EnrolmentService(certification), server)
    fleet_pb2_grpc.add_FleetServicer_to_server(FleetService(service, directory, possession), server)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    reflection.enable_server_reflection([item.full_name for item in SERVICES], server)
    refuse_undecided(methods())
    try:
        ports = _bind(server, options, certification, authority)
        await adopt(service)
        await service.write(partial(note_deed, deed=start_of(options), by=CONTROLLER))
        await certification.refresh()
        await server.start()
        close_socket(options.state_dir)
        if options.metrics is not None:
            bound = await metrics.start(options.metrics, authority().server_identity)
            (options.state_dir / METRICS_FILE).write_text(f"{bound}\n")
        for name in ("", *_OWN_NAMES):
            await healthy.set(name, health_pb2.HealthCheckResponse.SERVING)
        log.info("serving %s (SQLite %s)", options.state_dir, sqlite3.sqlite_version)
        manager.ready(f"serving {options.state_dir}")
        async with manager.alive(), strangers.bounded(ports):
            await _until_stopped(service, control, AuditSeals(service, _signer(options, authority)))
        manager.stopping()
        await healthy.enter_graceful_shutdown()
        await server.stop(options.drain_s)
        await metrics.stop()
    finally:
        service.close()
        socket_path(options.state_dir).unlink(missing_ok=True)
        for name in (ADDRESS_FILE, AGENTS_FILE, METRICS_FILE):
            (options.state_dir / name).unlink(missing_ok=True)


def methods() -> list[str]:
    """Every RPC that is served, as gRPC spells it."""
    return [f"/{item.full_name}/{method.name}" for item in SERVICES for method in item.methods]


def refuse_undecided(served: Iterable[str]) -> None:
    """Nothing is served that nobody decided about: a bug, and not one to start with."""
    if missing := without_row(served):
        raise RuntimeError(f"the table of access has no row for {', '.join(missing)}")


def _open_authority(options: ServeOptions) -> "Authority":
    from controller.authority.authority import Authority  # half of a start's time, which an embedded one does not owe

    return Authority(options.state_dir, names=[*options.hosts, *own_names()])


def _bind(
    server: grpc.aio.Server,
    options: ServeOptions,
    certification: Certification,
    authority: "Callable[[], Authority]",
) -> set[int]:
    """The ports of TCP that are served."""
    ports = set()
    bind_socket(server, options.state_dir)
    if options.listen is not None:
        credentials = people_credentials(authority().server_identity)
        bound = bind_port(server, options.listen, credentials, option="--listen")
        certification.listening = address_for_boards(bound, options.hosts)
        ports.add(split_address(bound)[1])
        (options.state_dir / ADDRESS_FILE).write_text(f"{bound}\n")
    if options.agents is not None:
        credentials = agents_credentials(authority().server_identity)
        bound = bind_port(server, options.agents, credentials, option="--agents")
        certification.agents_port = split_address(bound)[1]
        ports.add(certification.agents_port)
        (options.state_dir / AGENTS_FILE).write_text(f"{bound}\n")
    return ports


def _signer(options: ServeOptions, authority: "Callable[[], Authority]") -> Callable[[str], str] | None:
    """Where nobody is listened for there is no authority, and none is made for this."""
    if options.listen is None and options.agents is None and options.metrics is None:
        return None
    from controller.authority.seal import sign_head

    return partial(sign_head, authority().signing_key)


async def _until_stopped(service: ServiceContext, control: ControlService, seals: AuditSeals) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stop)
    reaper = asyncio.create_task(reap(service, control, seals))
    retainer = asyncio.create_task(retain(service, control.removals))
    stopped = asyncio.create_task(service.stopping.wait())
    await asyncio.wait({reaper, retainer, stopped}, return_when=asyncio.FIRST_COMPLETED)
    service.stop()
    retainer.cancel()  # a removal that is under way ends with its slice
    with contextlib.suppress(asyncio.CancelledError):
        await retainer
    await reaper
    await seals.seal()
