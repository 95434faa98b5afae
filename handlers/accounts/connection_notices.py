"""What the server sends to a connection whose access token expires soon or whose login session was revoked."""

from __future__ import annotations

from typing import Final, NamedTuple

from handlers.accounts.contract import SESSION_REVOKED, TOKEN_EXPIRING, SessionRevoked, TokenExpiring
from realtime.contract.wire import encode_model

WARN_BEFORE_S: Final = 60.0


class ConnectionNotice(NamedTuple):
    """An event for every session of a connection; `data` is encoded JSON."""

    event: str
    data: bytes


def warn_before_s(access_token_ttl_s: float) -> float:
    """How long before the expiry of a token its connections are warned: 60 s, or half of its life if that is less."""
    return min(WARN_BEFORE_S, access_token_ttl_s / 2)


def token_expiring(expires_in_s: float) -> ConnectionNotice:
    return ConnectionNotice(TOKEN_EXPIRING.name, encode_model(TokenExpiring(expires_in_s=round(expires_in_s))))


def session_revoked() -> ConnectionNotice:
    return ConnectionNotice(SESSION_REVOKED.name, encode_model(SessionRevoked()))
