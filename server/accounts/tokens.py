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
    """Nobody who knows one of the keys signed this text as a token."""


class _Claims(BaseModel):
    """What an access token says: a person, their login session, from when until when (Unix seconds)."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    iss: Literal["rookery"]
    sub: Id
    sid: Id
    iat: Annotated[int, Field(ge=0)]
    exp: Annotated[int, Field(ge=0)]


def check_signature(token: str, keys: Mapping[str, bytes]) -> bytes:
    """The bytes that were signed, in compact serialisation with HS256 under the key that `kid` in the header names.

    Raises BadToken for everything else: other algorithms and `none`, unknown keys, anything that is not well-formed.
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
    """Makes and reads tokens. The first key signs and all verify: keys are replaced without logging anybody out."""

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
        """Who holds this token. Raises CommandError: `token_expired`, or `unauthenticated` for anything else wrong."""
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
        """The token that follows this one, as this node would give it out, then as nodes with another first key would.

        Only who knows a key can tell it: whoever holds an old token cannot compute the newer ones.
        """
        return [_successor(secret, refresh_token) for secret in self._keys.values()]

    def fingerprint(self, refresh_token: str) -> bytes:
        """What is stored of a refresh token. It has 256 random bits, so a plain hash cannot be searched through."""
        return hashlib.sha256(refresh_token.encode()).digest()


def _successor(secret: bytes, refresh_token: str) -> str:
    digest = hmac.digest(secret, _SUCCESSOR_PURPOSE + refresh_token.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
