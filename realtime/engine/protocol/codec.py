"""How Socket.IO packets are written as bytes; each mount of the engine has one way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from realtime.engine.protocol.frames import Outgoing


class Codec(Protocol):
    """What a module that encodes packets offers. All JSON is given encoded; `ack_id` as digits."""

    @property
    def CODEC(self) -> int:
        """Its number, from 0: an index of encoded forms."""

    def encode_event(self, namespace: str, event: str, data: bytes, push_id: str | None = None) -> Outgoing: ...

    def encode_ack(self, namespace: str, ack_id: bytes, data: bytes) -> Outgoing: ...

    def encode_connect(self, namespace: str, session_id: str, private_id: str | None = None) -> Outgoing: ...

    def encode_connect_error(
        self, namespace: str, message: str, data: Mapping[str, object] | None = None
    ) -> Outgoing: ...

    def encode_disconnect(self, namespace: str) -> Outgoing: ...
