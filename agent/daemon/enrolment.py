"""How a board becomes a member of a fleet: `agent enroll`. Run twice, it says that all is done.

The controller's authority is looked at and compared with the fingerprint before anything is sent; the key is made here
and stays here. Neither needs this board's clock to be right; where it is not, that is said.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from agent.daemon.credentials import EnrolledAt, enrolled_at, keep_enrolment, own_key, read_credentials
from agent.daemon.identity import device_id, lock_state_dir, write_device_id
from jetfleet.address import split_address
from jetfleet.certificates import make_request, parse_fingerprint
from jetfleet.errors import BadInput, Denied, JetfleetError, Unauthenticated, Unreachable
from jetfleet.handshake import explain_refusal, pinned_authority
from jetfleet.rpc import raising
from jetfleet.transport import Credentials, open_channel
from jetfleet.v1 import control_pb2, control_pb2_grpc, enrolment_pb2, enrolment_pb2_grpc
from jetfleet.version import VERSION

log = logging.getLogger(__name__)

_CALL_S = 20.0
_APART_S = 60.0


@dataclass(frozen=True)
class Enrolment:
    """What came of it. `clock` says how far this board's clock is off, empty where it is right."""

    message: str
    clock: str = ""


def enroll(address: str, *, ca: str, secret: str, state_dir: Path, name: str, serial: str) -> Enrolment:
    """Raises Unauthenticated for another controller than was named, Denied for a token that is not valid (any more),
    Unreachable, WrongClock, Conflict, StateLocked while the agent runs.
    """
    fingerprint = parse_fingerprint(ca)
    if known := _known(state_dir, address, fingerprint):
        return Enrolment(f"already enrolled at {address}, as {known}: there is nothing to do")
    if not secret:
        raise BadInput(
            "the token of the enrolment is missing",
            expected="it in the environment, as in the line that `controller enroll new` prints",
        )
    ca_pem = pinned_authority(address, fingerprint)
    with lock_state_dir(state_dir):
        request = enrolment_pb2.EnrollRequest(
            secret=secret,
            device_id=device_id(state_dir),
            hardware_serial=serial,
            csr_pem=make_request(own_key(state_dir)),
            agent_version=VERSION,
            name=name,
        )
        with open_channel(address, Credentials(ca_pem)) as channel:
            stub = enrolment_pb2_grpc.EnrolmentStub(channel)
            try:
                answer = raising(stub.Enroll, address=address)(request, timeout=_CALL_S)
            except Unreachable as error:
                raise explain_refusal(address, ca_pem, error) from None
        if answer.device_id != request.device_id:
            write_device_id(state_dir, answer.device_id)
        agents_address = f"{split_address(address)[0]}:{answer.agents_port}"
        keep_enrolment(
            state_dir,
            EnrolledAt(agents_address, address, fingerprint),
            ca_pem=ca_pem,
            certificate_pem=answer.certificate_pem,
        )
    days = answer.lifetime.ToNanoseconds() / 86400e9
    who = answer.device_name or name
    return Enrolment(
        f"enrolled at {address} as {who} (id {answer.device_id[:8]}), for {days:.0f} days, renewed by the agent",
        clock=tell_clock(time.time(), answer.now.ToNanoseconds() / 1e9),
    )


def tell_clock(here_s: float, there_s: float) -> str:
    """Where the two clocks are far apart, both times, and what to do. Nothing of ours depends on it but logs."""
    if abs(here_s - there_s) <= _APART_S:
        return ""
    here, there = (datetime.fromtimestamp(item, timezone.utc) for item in (here_s, there_s))
    return (
        f"clock: this board's says {here:%Y-%m-%d %H:%M:%S} UTC, the controller's {there:%Y-%m-%d %H:%M:%S} UTC; "
        "set it: sudo timedatectl set-ntp true"
    )


def _known(state_dir: Path, address: str, fingerprint: str) -> str:
    """Whom the controller takes this board for; empty where it has to enrol, or to enrol anew."""
    at, credentials = enrolled_at(state_dir), read_credentials(state_dir)
    if at is None or credentials is None or (at.enrolled_at, at.ca_fingerprint) != (address, fingerprint):
        return ""
    with open_channel(at.address, credentials) as channel:
        call = raising(control_pb2_grpc.ControlStub(channel).Hello, address=at.address)
        try:
            return str(call(control_pb2.HelloRequest(), timeout=_CALL_S).user)
        except (Unauthenticated, Denied) as error:
            log.warning("enrolling anew: %s", error.message)
        except JetfleetError as error:
            log.warning("cannot see whether this board is enrolled already: %s", error.message)
    return ""
