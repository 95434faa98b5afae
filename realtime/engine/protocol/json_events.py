"""Pushes as JSON objects, for transports that tell a client its events and none of the protocol's other packets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson

from realtime.engine.protocol.frames import Outgoing

_NO_EVENT = Outgoing(b"", b"")


class JsonEvent(Outgoing):
    """One push: `payload` is `{"id", "namespace", "name", "data"}`; `offset` is None for one that is never replayed."""

    __slots__ = ("name", "namespace", "offset")

    def __init__(self, payload: bytes, namespace: str, name: str, offset: str | None) -> None:
        super().__init__(payload, b"")
        self.namespace = namespace
        self.name = name
        self.offset = offset


class JsonEvents:
    """The codec of such transports. A push without an id of its own gets one from `make_id`."""

    CODEC = 2

    def __init__(self, make_id: Callable[[], str]) -> None:
        self._make_id = make_id

    def encode_event(self, namespace: str, event: str, data: bytes, push_id: str | None = None) -> Outgoing:
        head = orjson.dumps({"id": push_id or self._make_id(), "namespace": namespace, "name": event})
        return JsonEvent(head[:-1] + b',"data":' + data + b"}", namespace, event, push_id)

    def encode_ack(self, namespace: str, ack_id: bytes, data: bytes) -> Outgoing:
        return _NO_EVENT

    def encode_connect(self, namespace: str, session_id: str, private_id: str | None = None) -> Outgoing:
        return _NO_EVENT

    def encode_connect_error(self, namespace: str, message: str, data: Mapping[str, object] | None = None) -> Outgoing:
        return _NO_EVENT

    def encode_disconnect(self, namespace: str) -> Outgoing:
        return _NO_EVENT
