"""Verifies the audit log of a state folder: the chain of its entries, its seals, and a head that somebody noted."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from controller.authority.seal import authority_certificate, is_signed
from controller.core.audit_chain import ChainLink, walk
from controller.maintenance.folder import DATABASE, reading
from controller.model.audit import AuditHead
from jetfleet.errors import BadInput

_ENTRIES = "SELECT number, at, user, role, action, subject, detail, sha256 FROM audit ORDER BY number"
_SEALS = "SELECT number, sha256, signature FROM audit_seal ORDER BY number"


@dataclass(frozen=True)
class AuditReport:
    """`number` and `sha256` are of the last entry that holds; `fault` is empty where all of them do."""

    number: int
    sha256: str
    seals: int
    sealed_number: int
    fault: str = ""

    @property
    def is_intact(self) -> bool:
        return not self.fault

    @property
    def head(self) -> AuditHead:
        return AuditHead(self.number, self.sha256)


def parse_head(text: str) -> AuditHead:
    """Raises BadInput for what `controller audit verify` did not print."""
    number, _, sha256 = text.strip().partition(":")
    if not number.isdecimal() or len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise BadInput(f"{text!r} is not a valid head of an audit log", expected="NUMBER:SHA256, as it was printed")
    return AuditHead(int(number), sha256)


def verify(state_dir: Path, *, noted: AuditHead | None = None) -> AuditReport:
    """Raises NotFound for no database, Infrastructure for one that cannot be read."""
    with reading(state_dir / DATABASE) as connection:
        connection.execute("BEGIN")  # entries and seals of one moment
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'audit_seal'").fetchone():
            raise BadInput("this database is older than the audit log", hint="a controller that opens it brings it up")
        head, fault = walk(_links(connection))
        seals = [(AuditHead(number, sha256), signature) for number, sha256, signature in connection.execute(_SEALS)]
        digests = dict(connection.execute("SELECT number, sha256 FROM audit"))
    fault = fault or _fault_of_seals(state_dir, seals, digests)
    if noted is not None and not fault:
        fault = _fault_of_head(noted, digests, what="the head that was noted")
    return AuditReport(head.number, head.sha256, len(seals), seals[-1][0].number if seals else 0, fault)


def _links(connection: sqlite3.Connection) -> Iterator[ChainLink]:
    return (ChainLink(*row) for row in connection.execute(_ENTRIES))


def _fault_of_seals(state_dir: Path, seals: "list[tuple[AuditHead, str]]", digests: dict[int, str]) -> str:
    ca_pem = authority_certificate(state_dir)
    for head, signature in seals:
        if fault := _fault_of_head(head, digests, what="a seal"):
            return fault
        if not ca_pem:
            return "there are seals, and the certificate of the authority that signed them is gone"
        if not is_signed(ca_pem, str(head), signature):
            return f"the seal of entry {head.number} is not signed by this controller's authority"
    return ""


def _fault_of_head(head: AuditHead, digests: dict[int, str], *, what: str) -> str:
    if head.number == 0 or digests.get(head.number) == head.sha256:
        return ""
    if head.number not in digests:
        last = max(digests, default=0)
        return f"the log was cut short: it ends with entry {last}, and {what} names entry {head.number}"
    return f"entry {head.number} is not the one that {what} names"
