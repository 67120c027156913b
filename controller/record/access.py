"""Tokens, invitations and the audit log as data. No secret but a new one."""

from typing import Any

from controller.model.access import TokenView
from controller.model.audit import AuditEntry


def token_record(token: TokenView) -> dict[str, Any]:
    return {
        "name": token.name,
        "scope": token.scope,
        "created_at": token.created_at.isoformat(),
        "created_by": token.created_by,
        "expires_at": token.expires_at and token.expires_at.isoformat(),
        "revoked_at": token.revoked_at and token.revoked_at.isoformat(),
    }


def audit_record(entry: AuditEntry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "at": entry.at.isoformat(),
        "user": entry.user,
        "role": entry.role,
        "action": entry.action,
        "subject": entry.subject,
        "detail": dict(entry.detail),
        "sha256": entry.sha256,
    }
