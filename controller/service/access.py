"""Who may call what: one row for every RPC, and what has no row nobody may call. docs/security.md is made from it.

A cell says nothing (may not), ANY, or OWN: then what the row's `owner` names must be the caller's, which ownership.py
looks up before the call has any effect. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from controller.model.access import CallerRole

_OWN_PACKAGE = "jetfleet.v1."


class Reach(Enum):
    """How far a role reaches in one RPC."""

    ANY = "any"
    OWN = "own"


class Owned(Enum):
    """What must be the caller's own where a cell says OWN."""

    NOTHING = ""
    JOB = "the job is one that the caller submitted"
    DEVICE = "the device of the request is that of the caller's certificate"
    SESSION = "the session of the request is one of the caller's device"
    LEASED_FILE = "the caller's device holds a live lease that names the file"
    LEASE = "the caller's device holds a lease, or has one whose result is due"


@dataclass(frozen=True)
class AccessRow:
    """Who may call one RPC."""

    reach: Mapping[CallerRole, Reach]
    owned: Owned = Owned.NOTHING

    def reach_of(self, role: CallerRole) -> Reach | None:
        return self.reach.get(role)


_PEOPLE = (CallerRole.OWNER, CallerRole.ADMIN, CallerRole.SUBMITTER, CallerRole.READER)


def _row(anything: Iterable[CallerRole], own: Iterable[CallerRole] = (), owned: Owned = Owned.NOTHING) -> AccessRow:
    return AccessRow({**dict.fromkeys(anything, Reach.ANY), **dict.fromkeys(own, Reach.OWN)}, owned)


_READ = _row(_PEOPLE)
_SUBMIT = _row((CallerRole.OWNER, CallerRole.ADMIN, CallerRole.SUBMITTER))
_ADMIN = _row((CallerRole.OWNER, CallerRole.ADMIN))
_OF_AGENTS = _row((CallerRole.OWNER,), (CallerRole.AGENT,), Owned.SESSION)
_EVERYBODY_KNOWN = _row((*_PEOPLE, CallerRole.AGENT))

TABLE: Mapping[str, AccessRow] = {
    "Control/Hello": _EVERYBODY_KNOWN,
    "Control/SubmitJob": _SUBMIT,
    "Control/GetJob": _READ,
    "Control/ListJobs": _READ,
    "Control/WatchJob": _READ,
    "Control/CancelJob": _row((CallerRole.OWNER, CallerRole.ADMIN), (CallerRole.SUBMITTER,), Owned.JOB),
    "Control/RetryJob": _SUBMIT,
    "Control/ExplainJob": _READ,
    "Control/ListDevices": _READ,
    "Control/ChangeDevice": _ADMIN,
    "Control/Results": _READ,
    "Control/ListEngines": _READ,
    "Control/GetEngine": _READ,
    "Control/GetTask": _READ,
    "Control/GetJobSpec": _READ,
    "Control/SetBaseline": _SUBMIT,
    "Control/ListBaselines": _READ,
    "Control/CollectGarbage": _ADMIN,
    "Fleet/Register": _row((CallerRole.OWNER,), (CallerRole.AGENT,), Owned.DEVICE),
    "Fleet/Claim": _OF_AGENTS,
    "Fleet/Renew": _OF_AGENTS,
    "Fleet/Commit": _OF_AGENTS,
    "Fleet/Leave": _OF_AGENTS,
    "Blobs/Stat": _row(_PEOPLE, (CallerRole.AGENT,), Owned.LEASE),
    "Blobs/Upload": _row((CallerRole.OWNER, CallerRole.ADMIN, CallerRole.SUBMITTER), (CallerRole.AGENT,), Owned.LEASE),
    "Blobs/Download": _row(_PEOPLE, (CallerRole.AGENT,), Owned.LEASED_FILE),
    "Access/CreateToken": _ADMIN,
    "Access/ListTokens": _ADMIN,
    "Access/RevokeToken": _ADMIN,
    "Access/Invite": _ADMIN,
    "Access/RevokeDevice": _ADMIN,
    "Access/ListAudit": _ADMIN,
    "Enrolment/Enroll": _row(CallerRole),
    "Enrolment/RenewCertificate": _row((CallerRole.AGENT,)),
    "grpc.health.v1.Health/Check": _EVERYBODY_KNOWN,
    "grpc.health.v1.Health/List": _EVERYBODY_KNOWN,
    "grpc.health.v1.Health/Watch": _EVERYBODY_KNOWN,
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": _READ,
}


def row_name(method: str) -> str:
    """The table's name of `/jetfleet.v1.Control/Hello`, which is how gRPC spells a method."""
    return method.removeprefix("/").removeprefix(_OWN_PACKAGE)


def row_of(method: str) -> AccessRow | None:
    return TABLE.get(row_name(method))


def without_row(methods: Iterable[str]) -> list[str]:
    """Methods that a server would serve and that nobody decided about."""
    return sorted(row_name(method) for method in methods if row_of(method) is None)
