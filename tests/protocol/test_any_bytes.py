"""Hostile bytes: in every split they mean what a simple reading of RFC 6455 says, and the server survives them."""

from __future__ import annotations

import random
from itertools import chain, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.engine.websocket.frame_parser import Event, FrameParser
from tests.protocol.dialect import BOTH, Dialect, Message, msgpack_message
from tests.protocol.echo_server import echo_server
from tests.protocol.raw_client import raw_polling, raw_socket
from tests.protocol.websocket_peer import BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, frame

MAX_MESSAGE_BYTES = 300
CLOSE_CODES = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}
CODES_OF_A_REFUSAL = {None, 1000, 1002, 1007, 1009, 4009}


def read_simply(stream: bytes) -> tuple[list[Event], int | None]:
    """The events of a whole stream by RFC 6455, and the close code with which it must fail."""
    events: list[Event] = []
    kind, message = 0, b""
    while stream:
        opcode, is_final, is_control = stream[0] & 0xF, stream[0] >= FIN, bool(stream[0] & 0x8)
        if stream[0] & 0x70 or opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            return events, 1002
        if (is_control and not is_final) or (not is_control and (opcode == CONTINUATION) is (kind == 0)):
            return events, 1002
        if len(stream) < 2:
            return events, None
        length, more = stream[1] & 0x7F, {0xFE: 2, 0xFF: 8}.get(stream[1], 0)
        if stream[1] < 0x80 or (is_control and length > 125):
            return events, 1002
        if len(stream) < 2 + more:
            return events, None
        if more:
            length = int.from_bytes(stream[2 : 2 + more])
            if length < {2: 126, 8: 65_536}[more] or length >= 1 << 63:
                return events, 1002
        if not is_control and len(message) + length > MAX_MESSAGE_BYTES:
            return events, 1009
        if len(stream) < 6 + more:
            return events, None
        mask, rest = stream[2 + more : 6 + more], stream[6 + more :]
        payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(rest[:length]))
        is_whole, stream = len(rest) >= length, rest[length:]
        if is_control:
            if not is_whole:
                return events, None
            if opcode == CLOSE and payload:
                if len(payload) == 1 or int.from_bytes(payload[:2]) not in CLOSE_CODES:
                    return events, 1002
                if not _may_be_text(payload[2:], ends=True):
                    return events, 1007
            events.append((opcode, payload))
            if opcode == CLOSE:
                return events, None
            continue
        kind, message = opcode or kind, message + payload
        ends = is_final and is_whole
        if kind == TEXT and not _may_be_text(message, ends=ends):
            return events, 1007
        if ends:
            events.append((kind, message))
            kind, message = 0, b""
    return events, None


def _may_be_text(payload: bytes, *, ends: bool) -> bool:
    """Whether this is valid UTF-8, or can still become it."""
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        return not ends and error.reason == "unexpected end of data"
    return True


MASKS = st.binary(min_size=4, max_size=4)
PAYLOADS = st.one_of(
    st.text(max_size=8).map(str.encode),
    st.binary(max_size=8),
    st.sampled_from((b"x" * 125, b"x" * 126, "€".encode() * 99, b"y" * 301)),
)
GOODBYES = st.tuples(
    st.sampled_from((999, 1000, 1003, 1004, 1006, 1007, 1014, 1015, 2999, 4999, 5000)),
    st.sampled_from((b"", b"bye", b"\xff")),
).map(lambda said: frame(FIN | CLOSE, said[0].to_bytes(2) + said[1]))


@st.composite
def messages(draw: st.DrawFn) -> list[bytes]:
    """The frames of one message, with pings between them; most are valid."""
    kind, payload = draw(st.sampled_from((TEXT, BINARY))), b"".join(draw(st.lists(PAYLOADS, max_size=3)))
    cuts = sorted({0, *draw(st.lists(st.integers(0, len(payload)), max_size=3)), len(payload)})
    parts = [payload[start:end] for start, end in pairwise(cuts)] or [b""]
    frames = []
    for number, part in enumerate(parts):
        final = FIN if number == len(parts) - 1 else 0
        frames.append(frame(final | (CONTINUATION if number else kind), part, mask=draw(MASKS)))
        if draw(st.booleans()):
            frames.append(frame(FIN | draw(st.sampled_from((PING, PONG))), b"now"))
    return frames


WHOLE = st.builds(frame, st.sampled_from((FIN | TEXT, FIN | BINARY)), PAYLOADS, mask=MASKS)
BROKEN = st.one_of(
    GOODBYES.map(lambda goodbye: [goodbye]),
    st.builds(frame, st.integers(0, 255), PAYLOADS).map(lambda any_frame: [any_frame]),
    st.builds(lambda kind, whole: [frame(kind, b"x"), whole], st.sampled_from((TEXT, BINARY)), WHOLE),
    st.builds(lambda whole, left: [whole[:left]], WHOLE, st.integers(0, 20)),
    st.builds(lambda whole: [whole[:1] + bytes((whole[1] & 0x7F,)) + whole[2:]], WHOLE),
    st.sampled_from(("81fe0005", "82ff0000000000000005", "82ff80")).map(lambda head: [bytes.fromhex(head) + bytes(9)]),
    st.binary(max_size=4).map(lambda noise: [noise]),
)
GOOD_FRAMES = st.lists(st.one_of(messages(), WHOLE.map(lambda whole: [whole])), max_size=4)
FRAMES = st.builds(lambda good, broken: [*chain.from_iterable(good), *broken], GOOD_FRAMES, BROKEN)


@settings(max_examples=500)
@given(FRAMES, st.one_of(st.none(), st.lists(st.integers(0, 600), max_size=20)))
def test_any_stream_in_any_split_means_what_a_simple_reading_says(frames: list[bytes], cuts: list[int] | None) -> None:
    stream = b"".join(frames)
    pieces = frames
    if cuts is not None:
        places = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
        pieces = [stream[start:end] for start, end in pairwise(places)]
    parser = FrameParser(max_message_bytes=MAX_MESSAGE_BYTES, max_frames_per_s=1_000_000)
    events = [event for piece in pieces for event in parser.feed(piece, 0.0)]
    assert (events, parser.violation and parser.violation.code) == read_simply(stream)


GOOD = ('42/chat,1["echo",{"a":[1]}]', "40/feed,{}", "41/chat,", "43/chat,1[2]")
ENDINGS: list[Message] = ['451-/chat,["echo",{"_placeholder":true}]', b"\x93", "b", "4", msgpack_message(1)]


def _noise(dialect: Dialect, chance: random.Random) -> list[Message]:
    """Some messages that begin like packets of this dialect and are malformed later."""
    messages: list[Message] = []
    for _ in range(chance.randint(1, 4)):
        good = dialect.write(chance.choice(GOOD))
        message = bytearray(good.encode() if isinstance(good, str) else good)
        for _ in range(chance.randint(0, 3)):
            place = chance.randrange(len(message))
            if chance.random() < 0.5:
                message[place] = chance.randrange(128 if isinstance(good, str) else 256)
            else:
                del message[place:]
                message += chance.randbytes(2) if isinstance(good, bytes) else b"]"
        messages.append(message.decode() if isinstance(good, str) else bytes(message))
    if chance.random() < 0.2:
        messages.append(chance.choice(ENDINGS))
    return messages


@BOTH
@pytest.mark.parametrize("seed", range(3))
async def test_noise_is_answered_or_closed_and_others_are_served_on(seed: int, dialect: Dialect) -> None:
    chance = random.Random(seed)
    async with echo_server() as server, raw_socket(server, dialect) as bystander:
        await bystander.connect()
        for _ in range(40):
            async with raw_socket(server, dialect) as client:
                await client.connect()
                await client.send(*_noise(dialect, chance), "1")
                code, _ = await client.closed()
                assert code in CODES_OF_A_REFUSAL
        assert await bystander.ask('42/chat,1["echo","x"]') == '43/chat,1["x"]'
    # The session of the uninvolved client ends last.
    assert len(server.policy.gone) == len(server.policy.sessions)


@BOTH
async def test_noise_in_polling_bodies_is_answered_or_closed(dialect: Dialect) -> None:
    chance = random.Random(4)
    async with echo_server() as server:
        for _ in range(40):
            async with raw_polling(server, dialect) as client:
                await client.connect()
                assert await client.post(*_noise(dialect, chance)) in (200, 400)
                assert await client.post("1") in (200, 400)
    assert len(server.policy.gone) == len(server.policy.sessions)
