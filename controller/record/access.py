"""Tokens and invitations as data: what stands under `tokens`, `token` and `invitation`. No secret but a new one."""

from typing import Any

from controller.model.access import TokenView


def token_record(token: TokenView) -> dict[str, Any]:
    return {
        "name": token.name,
        "scope": token.scope,
        "created_at": token.created_at.isoformat(),
        "created_by": token.created_by,
        "expires_at": token.expires_at and token.expires_at.isoformat(),
        "revoked_at": token.revoked_at and token.revoked_at.isoformat(),
    }
