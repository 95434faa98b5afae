"""Finds the identity of a caller: reads tokens, refuses expired ones and those of revoked login sessions."""

from __future__ import annotations

from handlers.ports import Clock, TokenIssuer
from realtime.contract.errors import TOKEN_EXPIRED, UNAUTHENTICATED, CommandError
from realtime.contract.identity import Identity
from server.accounts.revocations import Revocations

Credentials = Identity | str | None
"""The identity of the caller's connection, a bearer token sent with the call, or None for an anonymous call."""


class Authenticator:
    """Checks the credentials of every call, the same way for sockets and REST."""

    def __init__(self, tokens: TokenIssuer, revocations: Revocations, clock: Clock) -> None:
        self._tokens = tokens
        self._revocations = revocations
        self._clock = clock

    def identify(self, credentials: Credentials) -> Identity | None:
        """The caller's identity; None: anonymous. Raises CommandError `unauthenticated` or `token_expired`."""
        if credentials is None:
            return None
        identity = self._tokens.identify(credentials) if isinstance(credentials, str) else credentials
        if identity.login_session_id in self._revocations:
            raise CommandError(UNAUTHENTICATED, "This login session was ended.")
        if identity.expires_at_s <= self._clock.now_s():
            raise CommandError(TOKEN_EXPIRED)
        return identity

    def identify_person(self, credentials: Credentials) -> Identity:
        """The same where somebody has to be logged in: an anonymous call is `unauthenticated` too."""
        identity = self.identify(credentials)
        if identity is None:
            raise CommandError(UNAUTHENTICATED)
        return identity
