"""Cursors that only this deployment can make: readable text outside, any bytes inside."""

from __future__ import annotations

import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from server.accounts.secrets_file import SigningKey

_PURPOSE: Final = b"cursor\0"
_TAG_BYTES: Final = 16
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_STANDARD: Final = bytes.maketrans(b"-_+/", b"+/??")
"""From base64url; the letters that only plain base64 has are of no cursor."""


class SealedCursors:
    """Makes and opens cursors. The first key signs, all verify: cursors outlive the replacement of a key."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self._keys = [hashlib.sha256(_PURPOSE + key.secret).digest() for key in keys]

    def seal(self, content: bytes) -> str:
        """The content with a tag, in the letters of base64url. It is not encrypted."""
        sealed = binascii.b2a_base64(_tag(self._keys[0], content) + content, newline=False)
        return sealed.translate(_URL_SAFE).rstrip(b"=").decode()

    def open(self, cursor: str) -> bytes | None:
        """The content; None for a text that was not sealed with one of the keys."""
        try:
            letters = cursor.encode("ascii").translate(_STANDARD) + b"=" * (-len(cursor) % 4)
            sealed = binascii.a2b_base64(letters, strict_mode=True)
        except ValueError:
            return None
        tag, content = sealed[:_TAG_BYTES], sealed[_TAG_BYTES:]
        if any(hmac.compare_digest(tag, _tag(key, content)) for key in self._keys):
            return content
        return None


def _tag(key: bytes, content: bytes) -> bytes:
    """BLAKE2's own keyed form: every pull makes and checks one, and this takes half of HMAC's time."""
    return hashlib.blake2b(content, digest_size=_TAG_BYTES, key=key).digest()
