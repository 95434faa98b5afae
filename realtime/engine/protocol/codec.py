"""The encodings of what the server sends; each connection has one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from realtime.engine.protocol.frames import Outgoing


class Codec(Protocol):
    """Encodes packets. `data` is encoded JSON, `ack_id` digits; `push_id` is None for a push that is never replayed."""

    @property
    def CODEC(self) -> int:
        """Its number, from 0, by which `EncodedPush` keeps encoded forms."""

    def encode_event(self, namespace: str, event: str, data: bytes, push_id: str | None = None) -> Outgoing: ...

    def encode_ack(self, namespace: str, ack_id: bytes, data: bytes) -> Outgoing: ...

    def encode_connect(self, namespace: str, session_id: str, private_id: str | None = None) -> Outgoing: ...

    def encode_connect_error(
        self, namespace: str, message: str, data: Mapping[str, object] | None = None
    ) -> Outgoing: ...

    def encode_disconnect(self, namespace: str) -> Outgoing: ...
