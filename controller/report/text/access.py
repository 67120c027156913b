"""Tokens and the audit log as tables."""

from collections.abc import Sequence

from controller.model.access import TokenView
from controller.model.audit import AuditEntry
from controller.report.text.table import Table
from controller.report.text.words import moment


def tokens_table(tokens: Sequence[TokenView]) -> Table:
    return Table(
        columns=("token", "scope", "created", "by", "expires", "revoked"),
        rows=[
            (
                token.name,
                token.scope,
                moment(token.created_at),
                token.created_by,
                moment(token.expires_at) if token.expires_at else "never",
                moment(token.revoked_at) if token.revoked_at else "",
            )
            for token in tokens
        ],
        empty="no tokens yet: controller token create NAME --scope submitter",
    )


def audit_table(entries: Sequence[AuditEntry]) -> Table:
    return Table(
        columns=("entry", "at", "who", "as", "did", "to", "detail"),
        rows=[
            (
                str(entry.number),
                moment(entry.at),
                entry.user,
                entry.role,
                entry.action,
                entry.subject,
                ", ".join(f"{name}={value}" for name, value in entry.detail.items()),
            )
            for entry in entries
        ],
        empty="nothing is noted yet",
    )
