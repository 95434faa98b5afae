"""One notation for both encodings of Socket.IO packets, so that a rule is written once and tested with each.

A test writes and reads packets as JSON clients do (`42/chat,1["echo","x"]`); a dialect converts them to its encoding.
"""

from __future__ import annotations

import json
import re
from typing import Any, Protocol

import msgpack
import orjson
import pytest

_PACKET = re.compile(r"4([0-4])(?:(/[^,]*),?)?(\d*)(.*)", re.DOTALL)

Message = str | bytes
"""A text or a binary message of Engine.IO."""


class Dialect(Protocol):
    path: str

    def write(self, packet: Message) -> Message:
        """The message with which a client sends this packet."""

    def read(self, message: Message) -> str:
        """The packet in this message of the server."""


class _Json:
    path = "/socket.io/"

    def write(self, packet: Message) -> Message:
        return packet

    def read(self, message: Message) -> str:
        assert isinstance(message, str), f"a binary message where text was due: {message!r}"
        return message


class _Msgpack:
    """Bytes, and text that is no Socket.IO packet, are sent unchanged."""

    path = "/socket.io-msgpack/"

    def write(self, packet: Message) -> Message:
        found = None if isinstance(packet, bytes) else _PACKET.fullmatch(packet)
        if found is None:
            return packet
        kind, namespace, ack_id, data = found.groups()
        value: dict[str, Any] = {"type": int(kind), "nsp": namespace or "/"}
        if ack_id:
            value["id"] = int(ack_id)
        if data:
            value["data"] = json.loads(data)
        return msgpack_message(value)

    def read(self, message: Message) -> str:
        if isinstance(message, str):
            assert not message.startswith("4"), f"a text message where msgpack was due: {message!r}"
            return message
        value = msgpack.unpackb(message)
        namespace = "" if value["nsp"] == "/" else value["nsp"] + ","
        data = orjson.dumps(value["data"]).decode() if "data" in value else ""
        return f"4{value['type']}{namespace}{value.get('id', '')}{data}"


def msgpack_message(value: object) -> bytes:
    """The binary message that contains this."""
    return bytes(msgpack.packb(value))


JSON: Dialect = _Json()
MSGPACK: Dialect = _Msgpack()
BOTH = pytest.mark.parametrize("dialect", [JSON, MSGPACK], ids=["JSON", "msgpack"])
