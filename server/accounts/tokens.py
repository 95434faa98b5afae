"""The credentials of a login session: signed access tokens that every node can read, and random refresh tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

import jwt
import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from handlers.ports import Clock, IssuedToken
from realtime.contract.errors import TOKEN_EXPIRED, UNAUTHENTICATED, CommandError
from realtime.contract.identity import Identity
from realtime.contract.wire import Id
from server.accounts.secrets_file import SigningKey

ALGORITHM: Final = "HS256"
ISSUER: Final = "rookery"
LONGEST_TOKEN: Final = 4_096
REFRESH_TOKEN_BYTES: Final = 32

_JWS: Final = jwt.PyJWS(algorithms=[ALGORITHM])
_SUCCESSOR_PURPOSE: Final = b"refresh token successor\0"


class BadToken(Exception):
    """The text is not a token that was signed with one of the keys."""


class _Claims(BaseModel):
    """An access token's user, login session, and times of issue and expiry (Unix seconds)."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    iss: Literal["rookery"]
    sub: Id
    sid: Id
    iat: Annotated[int, Field(ge=0)]
    exp: Annotated[int, Field(ge=0)]


def check_signature(token: str, keys: Mapping[str, bytes]) -> bytes:
    """The payload of a JWS in compact serialisation, signed with HS256 and the key that `kid` in its header names.

    Raises BadToken for everything else: other algorithms and `none`, unknown keys, malformed text.
    """
    if len(token) > LONGEST_TOKEN:
        raise BadToken("too long")
    try:
        key = keys.get(_JWS.get_unverified_header(token).get("kid", ""))
        if key is None:
            raise BadToken("signed with an unknown key")
        signed: bytes = _JWS.decode(token, key, algorithms=[ALGORITHM])
    except (jwt.PyJWTError, UnicodeEncodeError) as error:
        raise BadToken(str(error)) from None
    return signed


class Tokens:
    """Issues and reads tokens. The first key signs, all verify: keys can be replaced without logging users out."""

    def __init__(self, keys: Sequence[SigningKey], clock: Clock, *, access_token_ttl_s: int) -> None:
        self._signing = keys[0]
        self._keys = {key.kid: key.secret for key in keys}
        self._clock = clock
        self._access_token_ttl_s = access_token_ttl_s

    def access_token(self, user_id: int, login_session_id: int) -> IssuedToken:
        now_s = int(self._clock.now_s())
        claims = {
            "iss": ISSUER,
            "sub": str(user_id),
            "sid": str(login_session_id),
            "iat": now_s,
            "exp": now_s + self._access_token_ttl_s,
        }
        token = _JWS.encode(
            orjson.dumps(claims), self._signing.secret, algorithm=ALGORITHM, headers={"kid": self._signing.kid}
        )
        return IssuedToken(token, self._access_token_ttl_s)

    def identify(self, access_token: str) -> Identity:
        """The holder of this token. Raises CommandError: `token_expired`, or `unauthenticated` for any other fault."""
        try:
            claims = _Claims.model_validate_json(check_signature(access_token, self._keys))
        except (BadToken, ValidationError):
            raise CommandError(UNAUTHENTICATED, "This access token is not valid.") from None
        if claims.exp <= self._clock.now_s():
            raise CommandError(TOKEN_EXPIRED)
        return Identity(user_id=claims.sub, login_session_id=claims.sid, expires_at_s=claims.exp)

    def refresh_token(self) -> str:
        """A new random refresh token."""
        return secrets.token_urlsafe(REFRESH_TOKEN_BYTES)

    def successors(self, refresh_token: str) -> Sequence[str]:
        """The token that replaces this one: first that of this node, then those of nodes with another first key.

        It is derived with a signing key, so that the holder of an old token cannot compute newer ones.
        """
        return [_successor(secret, refresh_token) for secret in self._keys.values()]

    def fingerprint(self, refresh_token: str) -> bytes:
        """The hash that is stored of a refresh token; without salt, since nobody can search through 256 random bits."""
        return hashlib.sha256(refresh_token.encode()).digest()


def _successor(secret: bytes, refresh_token: str) -> str:
    digest = hmac.digest(secret, _SUCCESSOR_PURPOSE + refresh_token.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
