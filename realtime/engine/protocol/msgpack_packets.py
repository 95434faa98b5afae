"""Socket.IO packets in the encoding of `socket.io-msgpack-parser`: each a binary message with one msgpack map."""

from __future__ import annotations

from collections.abc import Mapping

import msgpack
import orjson

from realtime.engine.protocol.frames import MalformedPacket, Outgoing, binary_message
from realtime.engine.protocol.packets import RESERVED_EVENTS, Kind, Packet

CODEC = 1
MAX_NAMESPACE_CHARS = 201
MAX_ACK_ID = 2**53 - 1

_CONNECT, _DISCONNECT, _EVENT, _ACK, _CONNECT_ERROR = range(5)
_KNOWN_KEYS = frozenset(("type", "nsp", "data", "id", "options"))
# The JavaScript encoder writes `undefined` and dates as extensions of type 0, by their length.
_JAVASCRIPT_EXTENSION = 0


def decode_packet(body: bytes) -> Packet:
    """Reads one binary message. Raises MalformedPacket."""
    try:
        value = msgpack.unpackb(body, ext_hook=_read_extension)
    except (ValueError, RecursionError, msgpack.exceptions.UnpackException):
        raise MalformedPacket("payload is not msgpack") from None
    if not isinstance(value, dict) or not _KNOWN_KEYS.issuperset(value):
        raise MalformedPacket("a packet is a map of type, nsp, data and id")
    kind, namespace, data, ack_id = value.get("type"), value.get("nsp"), value.get("data"), value.get("id")
    if type(kind) is not int or kind not in range(5):
        raise MalformedPacket("unknown Socket.IO packet type")
    if not isinstance(namespace, str) or namespace[:1] != "/" or len(namespace) > MAX_NAMESPACE_CHARS:
        raise MalformedPacket("namespace is not a path")
    if ack_id is not None and (type(ack_id) is not int or not 0 <= ack_id <= MAX_ACK_ID):
        raise MalformedPacket("ack id is not a number")
    digits = None if ack_id is None else b"%d" % ack_id
    if kind == _EVENT:
        return _event(namespace, digits, data, len(body))
    if kind == _CONNECT:
        if digits is not None or not isinstance(data, dict | None):
            raise MalformedPacket("a CONNECT carries an object")
        return Packet(Kind.CONNECT, namespace, None, auth=data or {}, size_bytes=len(body))
    if kind == _DISCONNECT:
        if digits is not None or data is not None:
            raise MalformedPacket("a DISCONNECT carries nothing")
        return Packet(Kind.DISCONNECT, namespace, None, size_bytes=len(body))
    if kind == _ACK:
        if digits is None or not isinstance(data, list):
            raise MalformedPacket("an ACK carries an id and a list")
        return Packet(Kind.ACK, namespace, digits, size_bytes=len(body))
    raise MalformedPacket("only the server sends a CONNECT_ERROR")


def _event(namespace: str, ack_id: bytes | None, data: object, size_bytes: int) -> Packet:
    if not isinstance(data, list) or not data or not isinstance(data[0], str):
        raise MalformedPacket("an event carries a list that begins with its name")
    if data[0] in RESERVED_EVENTS:
        raise MalformedPacket("reserved event name")
    return Packet(Kind.EVENT, namespace, ack_id, name=data[0], args=data[1:], size_bytes=size_bytes)


def _read_extension(code: int, data: bytes) -> object:
    """None for `undefined`, milliseconds for a date."""
    if code == _JAVASCRIPT_EXTENSION and len(data) == 1:
        return None
    if code == _JAVASCRIPT_EXTENSION and len(data) == 8:
        return int.from_bytes(data, "big", signed=True)
    raise ValueError("unknown extension")


def encode_event(namespace: str, event: str, data: bytes, push_id: str | None = None) -> Outgoing:
    arguments = [event, orjson.loads(data)]
    if push_id is not None:
        arguments.append(push_id)
    return _encode(_EVENT, namespace, arguments)


def encode_ack(namespace: str, ack_id: bytes, data: bytes) -> Outgoing:
    return _encode(_ACK, namespace, [orjson.loads(data)], int(ack_id))


def encode_connect(namespace: str, session_id: str, private_id: str | None = None) -> Outgoing:
    body = {"sid": session_id} if private_id is None else {"sid": session_id, "pid": private_id}
    return _encode(_CONNECT, namespace, body)


def encode_connect_error(namespace: str, message: str, data: Mapping[str, object] | None = None) -> Outgoing:
    body: dict[str, object] = {"message": message}
    if data is not None:
        body["data"] = data
    return _encode(_CONNECT_ERROR, namespace, body)


def encode_disconnect(namespace: str) -> Outgoing:
    return binary_message(msgpack.packb({"type": _DISCONNECT, "nsp": namespace}))


def _encode(kind: int, namespace: str, data: object, ack_id: int | None = None) -> Outgoing:
    packet: dict[str, object] = {"type": kind, "nsp": namespace, "data": data}
    if ack_id is not None:
        packet["id"] = ack_id
    return binary_message(msgpack.packb(packet))
