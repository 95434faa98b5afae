"""Cursors that only this deployment can make: readable text outside, any bytes inside."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

from server.accounts.secrets_file import SigningKey

_PURPOSE: Final = b"cursor\0"
_TAG_BYTES: Final = 16


class SealedCursors:
    """Makes and opens cursors. The first key signs, all verify: cursors outlive the replacement of a key."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self._secrets = [key.secret for key in keys]

    def seal(self, content: bytes) -> str:
        """The content with a tag, in the letters of base64url. It is not encrypted."""
        sealed = _tag(self._secrets[0], content) + content
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, cursor: str) -> bytes | None:
        """The content; None for a text that was not sealed with one of the keys."""
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        tag, content = sealed[:_TAG_BYTES], sealed[_TAG_BYTES:]
        if any(hmac.compare_digest(tag, _tag(secret, content)) for secret in self._secrets):
            return content
        return None


def _tag(secret: bytes, content: bytes) -> bytes:
    return hmac.digest(secret, _PURPOSE + content, "sha256")[:_TAG_BYTES]
