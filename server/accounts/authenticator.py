"""Decides who calls: reads tokens, and refuses those of revoked login sessions and those that have run out."""

from __future__ import annotations

from handlers.ports import Clock, TokenIssuer
from realtime.contract.errors import TOKEN_EXPIRED, UNAUTHENTICATED, CommandError
from realtime.contract.identity import Identity
from server.accounts.revocations import Revocations

Credentials = Identity | str | None
"""An identity that a socket was bound to earlier, a bearer token of this very call, or nothing."""


class Authenticator:
    """Checks credentials the same way for sockets and REST, at every call."""

    def __init__(self, tokens: TokenIssuer, revocations: Revocations, clock: Clock) -> None:
        self._tokens = tokens
        self._revocations = revocations
        self._clock = clock

    def identify(self, credentials: Credentials) -> Identity | None:
        """Who calls; None for nobody. Raises CommandError `unauthenticated` or `token_expired`."""
        if credentials is None:
            return None
        identity = self._tokens.identify(credentials) if isinstance(credentials, str) else credentials
        if identity.login_session_id in self._revocations:
            raise CommandError(UNAUTHENTICATED, "This login session was ended.")
        if identity.expires_at_s <= self._clock.now_s():
            raise CommandError(TOKEN_EXPIRED)
        return identity
