"""Wires the controller together and runs it: one state folder, one owner, loopback only, drained on SIGTERM."""

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from controller.service.blobs import BlobService
from controller.service.context import ServiceContext, open_context
from controller.service.control import ControlService
from controller.service.fleet import FleetService
from controller.service.interceptor import Interceptor
from controller.service.options import ServeOptions
from controller.service.reaper import adopt, reap
from controller.service.state_folder import close_socket, prepare
from jetfleet.address import check_address, is_loopback, socket_path
from jetfleet.errors import BadInput, Infrastructure, PortTaken, StateLocked
from jetfleet.rpc import SERVER_OPTIONS
from jetfleet.v1 import blobs_pb2, blobs_pb2_grpc, control_pb2, control_pb2_grpc, fleet_pb2, fleet_pb2_grpc

log = logging.getLogger(__name__)

ADDRESS_FILE = "controller.address"


def serve(options: ServeOptions) -> None:
    """Runs a controller until SIGTERM, SIGINT or, embedded, idleness.

    Raises BadInput for an address that is not loopback, StateLocked, PortTaken, DatabaseTooNew, DiskFull.
    """
    if options.listen is not None:
        check_address(options.listen, where="--listen", least_port=0)
    if options.listen is not None and not is_loopback(options.listen):
        raise BadInput(
            f"{options.listen} is not loopback, and plain text is spoken on nothing else",
            where="--listen",
            expected="127.0.0.1:PORT",
            hint="forward it: ssh -N -R 50051:127.0.0.1:50051 BOARD, then `agent run --address 127.0.0.1:50051` there",
        )
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
    service = open_context(options)
    control = ControlService(service)
    server = grpc.aio.server(interceptors=[Interceptor()], options=SERVER_OPTIONS)
    fleet_pb2_grpc.add_FleetServicer_to_server(FleetService(service), server)
    blobs_pb2_grpc.add_BlobsServicer_to_server(BlobService(service), server)
    control_pb2_grpc.add_ControlServicer_to_server(control, server)
    healthy = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    names = [item.DESCRIPTOR.services_by_name for item in (fleet_pb2, blobs_pb2, control_pb2)]
    own = [item.full_name for services in names for item in services.values()]
    reflection.enable_server_reflection([*own, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    try:
        _bind(server, options)
        await adopt(service)
        await server.start()
        close_socket(socket_path(options.state_dir))
        for name in ("", *own):
            await healthy.set(name, health_pb2.HealthCheckResponse.SERVING)
        log.info("serving %s (SQLite %s)", options.state_dir, sqlite3.sqlite_version)
        await _until_stopped(service, control)
        await healthy.enter_graceful_shutdown()
        await server.stop(options.drain_s)
    finally:
        service.close()
        socket_path(options.state_dir).unlink(missing_ok=True)
        (options.state_dir / ADDRESS_FILE).unlink(missing_ok=True)


def _bind(server: grpc.aio.Server, options: ServeOptions) -> None:
    path = socket_path(options.state_dir)
    path.unlink(missing_ok=True)  # ours by the lock: left behind by a controller that was killed
    before = os.umask(0o077)
    try:
        server.add_insecure_port(f"unix:{path}")
    except RuntimeError as error:
        raise Infrastructure(f"cannot listen on {path}: {error}") from None
    finally:
        os.umask(before)
    if options.listen is None:
        return
    try:
        port = server.add_insecure_port(options.listen)
    except RuntimeError:
        raise PortTaken(
            f"cannot listen on {options.listen}: somebody else does",
            where="--listen",
            hint="stop the other one, or choose another port (port 0 takes a free one)",
        ) from None
    host = options.listen.rpartition(":")[0]
    (options.state_dir / ADDRESS_FILE).write_text(f"{host}:{port}\n")


async def _until_stopped(service: ServiceContext, control: ControlService) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stop)
    reaper = asyncio.create_task(reap(service, control))
    stopped = asyncio.create_task(service.stopping.wait())
    done, _ = await asyncio.wait({reaper, stopped}, return_when=asyncio.FIRST_COMPLETED)
    service.stop()
    if reaper in done:
        reaper.result()  # a bug: let it be seen
    await reaper
