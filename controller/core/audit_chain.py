"""The hash chain of the audit log: what an entry's digest covers, and where a chain is broken. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.model.audit import NO_ENTRY, AuditHead


@dataclass(frozen=True)
class ChainLink:
    """An entry as the database keeps it: text for text what its digest covers."""

    number: int
    at: str
    user: str
    role: str
    action: str
    subject: str
    detail: str
    sha256: str = ""


def detail_text(detail: Mapping[str, str]) -> str:
    return json.dumps(dict(detail), sort_keys=True, separators=(",", ":"))


def link_digest(before: str, link: ChainLink) -> str:
    """Over the digest of the entry before it, and all that the entry says."""
    said = [before, link.number, link.at, link.user, link.role, link.action, link.subject, link.detail]
    return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()


def fault_of(head: AuditHead, link: ChainLink) -> str:
    """What is wrong with an entry that should follow `head`; empty where nothing is."""
    if link.number != head.number + 1:
        return f"entry {head.number + 1} is missing: {link.number} comes next"
    if link_digest(head.sha256, link) != link.sha256:
        return f"entry {link.number} is not what was written, or follows another one than it did"
    return ""


def walk(links: Iterable[ChainLink]) -> tuple[AuditHead, str]:
    """How far a chain from the first entry on holds, and what is wrong there; empty where it holds to its end."""
    head = NO_ENTRY
    for link in links:
        if fault := fault_of(head, link):
            return head, fault
        head = AuditHead(link.number, link.sha256)
    return head, ""
