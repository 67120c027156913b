"""People and boards that a controller knows: tokens and certificates, made as users make them."""

from pathlib import Path

from agent.daemon.credentials import read_credentials
from agent.daemon.enrolment import Enrolment, enroll
from controller.api.client import Client
from jetfleet.transport import Credentials
from testing.processes import ControllerProcess


def authority_of(controller: ControllerProcess) -> bytes:
    return (controller.state_dir / "authority" / "ca.pem").read_bytes()


def person_credentials(
    owner: Client, controller: ControllerProcess, *, name: str, scope: str, lifetime_s: float | None = None
) -> Credentials:
    """Of a new token."""
    made = owner.access().create_token(name, scope=scope, lifetime_s=lifetime_s)
    return Credentials(authority_of(controller), token=made.secret)


def enrol(owner: Client, folder: Path, *, name: str, bound: bool = True, serial: str = "") -> Enrolment:
    """A board with this state folder, invited and enrolled."""
    invitation = owner.access().invite(name=name if bound else "")
    return enroll(
        invitation.address,
        ca=invitation.ca_fingerprint,
        secret=invitation.secret,
        state_dir=folder,
        name=name,
        serial=serial,
    )


def enrolled_credentials(owner: Client, folder: Path, *, name: str) -> Credentials:
    enrol(owner, folder, name=name)
    found = read_credentials(folder)
    assert found is not None
    return found
