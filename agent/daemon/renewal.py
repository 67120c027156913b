"""The next certificate, while the agent runs: asked for when two thirds of the present one are over.

By the controller's word and this machine's boot clock: what the wall clock here says does not count.
"""

import asyncio
import logging
from pathlib import Path

from agent.daemon.client import Link
from agent.daemon.credentials import keep_certificate, own_key, read_credentials
from agent.daemon.heartbeat import boot_clock
from jetfleet.certificates import make_request
from jetfleet.errors import JetfleetError
from jetfleet.v1 import fleet_pb2

log = logging.getLogger(__name__)

_LOOK_S = 60.0


class CertificateRenewal:
    """`note` what a registration says; `run` beside all else."""

    def __init__(self, link: Link, state_dir: Path) -> None:
        self._link, self._state_dir = link, state_dir
        self._due: float | None = None
        self._lifetime_s = 0.0
        self._noted = asyncio.Event()

    def note(self, answer: fleet_pb2.RegisterResponse) -> None:
        if answer.HasField("certificate_left"):
            self._plan(answer.certificate_left.ToNanoseconds() / 1e9, answer.certificate_lifetime.ToNanoseconds() / 1e9)

    def _plan(self, left_s: float, lifetime_s: float) -> None:
        self._due = boot_clock() + left_s - lifetime_s / 3
        self._lifetime_s = lifetime_s
        self._noted.set()

    async def run(self) -> None:
        await self._noted.wait()
        while True:
            left_s = (self._due or 0.0) - boot_clock()
            if left_s > 0:
                await asyncio.sleep(min(left_s, _LOOK_S))  # a machine may sleep meanwhile
                continue
            try:
                await self._renew()
            except (JetfleetError, OSError) as error:
                log.warning("the certificate could not be renewed yet: %s", error)
                await asyncio.sleep(min(_LOOK_S, self._lifetime_s / 30))

    async def _renew(self) -> None:
        answer = await self._link.renew_certificate(make_request(own_key(self._state_dir)))
        keep_certificate(self._state_dir, answer.certificate_pem)
        lifetime_s = answer.lifetime.ToNanoseconds() / 1e9
        self._plan(lifetime_s, lifetime_s)
        credentials = read_credentials(self._state_dir)
        if credentials is not None:
            await self._link.use(credentials)
        log.info("a new certificate, for %.1f days", lifetime_s / 86400)
