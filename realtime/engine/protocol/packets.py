"""Socket.IO 5 packets in JSON: strict decoding of what clients send, and encoding of what the server sends."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import orjson

from realtime.contract.unparseable import Unparseable
from realtime.engine.protocol.frames import MalformedPacket, Outgoing
from realtime.engine.protocol.json_values import NestedTooDeep, parse_unusual_json

CODEC = 0
"""See `Codec`."""
MAX_ATTACHMENTS = 10
RESERVED_EVENTS = frozenset(
    ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
)

_ACK_ID_ENDS = 1 + 20 + 1
_AUTH_BEGINS = (b"{", b"")
_HEAD = re.compile(rb"([0-6])(?:(\d{1,3})-)?(?:(/[^,]{0,200})(?:,|\Z))?(\d{0,20})")
_NAME = re.compile(rb'\s*\[\s*("(?:[^"\\]|\\.)*+")\s*[,\]]', re.DOTALL)


class Kind(Enum):
    CONNECT = b"0"
    DISCONNECT = b"1"
    EVENT = b"2"
    ACK = b"3"
    CONNECT_ERROR = b"4"
    BINARY_EVENT = b"5"
    BINARY_ACK = b"6"


# Looking a member up in an Enum takes as long as reading a packet's head.
CONNECT, DISCONNECT, EVENT, BINARY_EVENT = Kind.CONNECT, Kind.DISCONNECT, Kind.EVENT, Kind.BINARY_EVENT

_KINDS = {kind.value: kind for kind in Kind}
_EVENT_MARK = EVENT.value
_CONNECT_MARK = CONNECT.value


@dataclass(slots=True)
class Packet:
    """One Socket.IO packet of a client.

    `ack_id` is kept as the client wrote it: it is only echoed. `name` and `args` are those of an event, `auth`
    that of a CONNECT. `attachments` is how many binary messages have to follow before the packet is complete.
    """

    kind: Kind
    namespace: str
    ack_id: bytes | None
    attachments: int = 0
    name: str = ""
    args: Sequence[object] = ()
    auth: Mapping[str, object] | None = None
    size_bytes: int = 0


def decode_packet(text: bytes) -> Packet:
    """Reads what follows the Engine.IO message type. Raises MalformedPacket."""
    if text[:1] == _EVENT_MARK:
        # The fast path for what clients usually send: an event on the main namespace.
        begin = text.find(b"[", 1, _ACK_ID_ENDS)
        ack_id = text[1:begin]
        if begin == 1 or (begin > 0 and ack_id.isdigit()):
            name, args = _read_event(text[begin:])
            return Packet(EVENT, "/", ack_id or None, 0, name, args, None, len(text))
    elif text[:1] == _CONNECT_MARK and text[1:2] in _AUTH_BEGINS:
        # The fast path for the usual CONNECT.
        return Packet(CONNECT, "/", None, auth=_read_auth(text[1:]), size_bytes=len(text))
    head = _HEAD.match(text)
    if head is None:
        raise MalformedPacket("unknown Socket.IO packet type")
    kind = _KINDS[head[1]]
    binary = kind in (Kind.BINARY_EVENT, Kind.BINARY_ACK)
    if binary is not (head[2] is not None):
        raise MalformedPacket("attachment count and packet type disagree")
    try:
        namespace = head[3].decode() if head[3] else "/"
    except UnicodeDecodeError:
        raise MalformedPacket("namespace is not UTF-8") from None
    packet = Packet(kind, namespace, head[4] or None, int(head[2] or 0), size_bytes=len(text))
    if packet.attachments > MAX_ATTACHMENTS:
        raise MalformedPacket("too many attachments")
    data = text[head.end() :]
    match kind:
        case Kind.EVENT | Kind.BINARY_EVENT:
            packet.name, packet.args = _read_event(data)
        case Kind.CONNECT:
            if packet.ack_id is not None:
                raise MalformedPacket("a CONNECT has no ack id")
            packet.auth = _read_auth(data)
        case Kind.DISCONNECT:
            if data or packet.ack_id:
                raise MalformedPacket("a DISCONNECT carries nothing")
        case Kind.ACK | Kind.BINARY_ACK:
            if packet.ack_id is None or not isinstance(_parse(data), list):
                raise MalformedPacket("an ACK carries an id and a list")
        case Kind.CONNECT_ERROR:
            raise MalformedPacket("only the server sends a CONNECT_ERROR")
    return packet


def attach(packet: Packet, attachments: Sequence[bytes]) -> None:
    """Replaces the placeholders in an event's arguments by its binary messages. Raises MalformedPacket."""
    try:
        packet.args = [_fill(argument, attachments) for argument in packet.args]
    except RecursionError:
        packet.args = [Unparseable("nested too deep")]
    packet.size_bytes += sum(map(len, attachments))


def _read_event(data: bytes) -> tuple[str, list[object]]:
    """The name of an event, and its arguments."""
    try:
        values = _parse(data)
    except NestedTooDeep:
        found = _NAME.match(data)
        if found is None:
            raise MalformedPacket("an event carries a list that begins with its name") from None
        values = [_parse(found[1]), Unparseable("nested too deep")]
    if not isinstance(values, list) or not values or not isinstance(name := values[0], str):
        raise MalformedPacket("an event carries a list that begins with its name")
    if name in RESERVED_EVENTS:
        raise MalformedPacket("reserved event name")
    return name, values[1:]


def _read_auth(data: bytes) -> Mapping[str, object]:
    try:
        auth = _parse(data) if data else {}
    except NestedTooDeep:
        raise MalformedPacket("auth is nested too deep") from None
    if not isinstance(auth, dict):
        raise MalformedPacket("auth is not an object")
    return auth


def _parse(data: bytes) -> object:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            return parse_unusual_json(data)
        except ValueError:
            raise MalformedPacket("payload is not JSON") from None


def _fill(value: object, attachments: Sequence[bytes]) -> object:
    if isinstance(value, list):
        return [_fill(item, attachments) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("_placeholder") is True:
        number = value.get("num")
        if not isinstance(number, int) or not 0 <= number < len(attachments):
            raise MalformedPacket("placeholder without an attachment")
        return attachments[number]
    return {key: _fill(item, attachments) for key, item in value.items()}


def encode_event(namespace: str, event: str, data: bytes, push_id: str | None = None) -> Outgoing:
    """An EVENT with one argument; `data` is encoded JSON. A push id follows as the last argument."""
    offset = b"" if push_id is None else b"," + orjson.dumps(push_id)
    return Outgoing(b"42" + _address(namespace) + b"[" + orjson.dumps(event) + b"," + data + offset + b"]")


def encode_ack(namespace: str, ack_id: bytes, data: bytes) -> Outgoing:
    """The answer of an event; `data` is encoded JSON."""
    if namespace != "/":
        ack_id = _address(namespace) + ack_id
    return Outgoing(b"43" + ack_id + b"[" + data + b"]")


def encode_connect(namespace: str, session_id: str, private_id: str | None = None) -> Outgoing:
    """The answer to a CONNECT; the private id is for clients that asked for recovery."""
    body = {"sid": session_id} if private_id is None else {"sid": session_id, "pid": private_id}
    return Outgoing(b"40" + _address(namespace) + orjson.dumps(body))


def encode_connect_error(namespace: str, message: str, data: Mapping[str, object] | None = None) -> Outgoing:
    body: dict[str, object] = {"message": message}
    if data is not None:
        body["data"] = data
    return Outgoing(b"44" + _address(namespace) + orjson.dumps(body))


def encode_disconnect(namespace: str) -> Outgoing:
    return Outgoing(b"41" + _address(namespace))


def _address(namespace: str) -> bytes:
    return b"" if namespace == "/" else namespace.encode() + b","
