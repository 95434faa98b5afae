"""RFC 6455 for servers, one case for each rule, in literal bytes."""

import pytest

from tests.protocol.websocket_peer import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    MAX_FRAMES_PER_S,
    MAX_MESSAGE_BYTES,
    PING,
    PONG,
    REQUEST,
    TEXT,
    connected,
    echo_layer,
    frame,
    peer,
)

BROKEN, INVALID_TEXT, TOO_LARGE, FLOOD = 1002, 1007, 1009, 4029
HELLO = bytes.fromhex("818537fa213d7f9f4d5158")
"""Section 5.7: a masked text message "Hello"."""


def _without(header: bytes) -> bytes:
    return b"\r\n".join(line for line in REQUEST.split(b"\r\n") if not line.startswith(header))


# The opening handshake, section 4.2


async def test_the_key_is_answered() -> None:
    async with echo_layer() as port, connected(port) as client:
        await client.send(REQUEST)
        lines = (await client.head()).split(b"\r\n")
        assert lines[0] == b"HTTP/1.1 101 Switching Protocols"
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in lines
        assert {line.split(b":")[0] for line in lines[1:] if line} == {
            b"Upgrade",
            b"Connection",
            b"Sec-WebSocket-Accept",
        }


@pytest.mark.parametrize(
    "request_bytes",
    [
        _without(b"Upgrade"),
        _without(b"Connection"),
        _without(b"Sec-WebSocket-Key"),
        REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"),
        REQUEST.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        REQUEST.replace(b"Connection: Upgrade", b"Connection: keep-alive"),
        REQUEST.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZQ=="),
        REQUEST.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"not base64"),
        REQUEST.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
        REQUEST.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\nxx"),
        _without(b"Host"),
    ],
    ids=[
        "no upgrade",
        "no connection",
        "no key",
        "HTTP/1.0",
        "another protocol",
        "connection is kept",
        "short key",
        "bad key",
        "two keys",
        "with a body",
        "no host",
    ],
)
async def test_another_opening_handshake_is_a_bad_request(request_bytes: bytes) -> None:
    async with echo_layer() as port, connected(port) as client:
        await client.send(request_bytes)
        assert (await client.head()).startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))


@pytest.mark.parametrize("version", [b"8", b"14", b"x", b"13, 8"])
async def test_another_version_is_told_which_one_is_spoken(version: bytes) -> None:
    async with echo_layer() as port, connected(port) as client:
        await client.send(REQUEST.replace(b"Version: 13", b"Version: " + version))
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 426 ") and b"\r\nSec-WebSocket-Version: 13\r\n" in head


async def test_tokens_and_names_of_headers_are_read_without_regard_to_case() -> None:
    async with echo_layer() as port, connected(port) as client:
        await client.send(
            REQUEST.replace(b"Upgrade: websocket", b"UPGRADE: WebSocket").replace(
                b"Connection: Upgrade", b"connection: keep-alive, upgrade"
            )
        )
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")


async def test_the_first_subprotocol_and_no_extension_is_agreed_on() -> None:
    offers = b"\r\nSec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    async with echo_layer() as port, connected(port) as client:
        await client.send(REQUEST.replace(b"\r\n\r\n", offers))
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 101 ") and b"Extensions" not in head
        assert head.endswith(b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n")


async def test_a_request_before_the_upgrade_is_answered_on_the_same_connection() -> None:
    async with echo_layer() as port, connected(port) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + REQUEST + HELLO)
        assert (await client.head()).startswith(b"HTTP/1.1 400 ")
        while not (await client.head()).endswith(b"xOo=\r\n\r\n"):
            pass
        assert await client.receive() == (TEXT, b"Hello")


async def test_frames_glued_to_the_opening_handshake_are_read() -> None:
    async with echo_layer() as port, connected(port) as client:
        await client.send(REQUEST + HELLO + HELLO[:3], HELLO[3:])
        await client.head()
        assert [await client.receive(), await client.receive()] == [(TEXT, b"Hello"), (TEXT, b"Hello")]


# Framing, section 5


async def test_the_examples_of_the_document_are_read() -> None:
    async with peer() as client:
        await client.send(HELLO, bytes.fromhex("898537fa213d7f9f4d5158"))
        assert [await client.receive(), await client.receive()] == [(TEXT, b"Hello"), (PONG, b"Hello")]


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 128, MAX_MESSAGE_BYTES])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_a_message_of_any_length_is_echoed(opcode: int, length: int) -> None:
    async with peer() as client:
        await client.send(frame(FIN | opcode, b"x" * length))
        assert await client.receive() == (opcode, b"x" * length)


async def test_any_split_of_the_bytes_means_the_same() -> None:
    stream = b"".join(
        (
            frame(FIN | TEXT, "häppchen".encode()),
            frame(TEXT, "ä".encode()[:1]),
            frame(FIN | PING, b"?"),
            frame(FIN | CONTINUATION, "ä".encode()[1:]),
            frame(FIN | BINARY, b"\xff" * 300),
        )
    )
    async with peer() as client:
        await client.send(*(stream[place : place + 1] for place in range(len(stream))))
        assert [await client.receive() for _ in range(4)] == [
            (TEXT, "häppchen".encode()),
            (PONG, b"?"),
            (TEXT, "ä".encode()),
            (BINARY, b"\xff" * 300),
        ]


async def test_many_frames_in_one_segment_are_read_in_order() -> None:
    async with peer() as client:
        await client.send(b"".join(frame(FIN | TEXT, b"%d" % number) for number in range(1000)))
        assert [await client.receive() for _ in range(1000)] == [(TEXT, b"%d" % number) for number in range(1000)]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_fragments_are_one_message(opcode: int) -> None:
    async with peer() as client:
        await client.send(
            frame(opcode, b"Hel") + frame(CONTINUATION) + frame(CONTINUATION, b"l") + frame(FIN | CONTINUATION, b"o")
        )
        assert await client.receive() == (opcode, b"Hello")


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(bytes.fromhex("810548656c6c6f"), id="a frame without a mask"),
        pytest.param(bytes.fromhex("8900"), id="a ping without a mask"),
        *[pytest.param(frame(FIN | bit | TEXT, b"x"), id=f"RSV bit {bit:#x}") for bit in (0x40, 0x20, 0x10)],
        *[
            pytest.param(frame(FIN | opcode), id=f"opcode {opcode:#x}")
            for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
        ],
        *[pytest.param(frame(opcode), id=f"fragmented control {opcode:#x}") for opcode in (CLOSE, PING, PONG)],
        *[pytest.param(frame(FIN | opcode, b"x" * 126), id=f"long {opcode:#x}") for opcode in (CLOSE, PING, PONG)],
        pytest.param(frame(FIN | CONTINUATION, b"x"), id="a continuation of nothing"),
        pytest.param(frame(CONTINUATION, b"x"), id="a continuation of nothing that goes on"),
        pytest.param(frame(TEXT, b"x") + frame(FIN | TEXT, b"y"), id="a message within a message"),
        pytest.param(frame(TEXT, b"x") + frame(BINARY, b"y"), id="another kind within a message"),
        pytest.param(bytes.fromhex("81fe0005") + bytes(9), id="a length of 16 bits that fits 7"),
        pytest.param(bytes.fromhex("81ff0000000000000005") + bytes(9), id="a length of 64 bits that fits 7"),
        pytest.param(bytes.fromhex("82ff8000000000000000"), id="a length with the first bit set"),
    ],
)
async def test_a_frame_that_breaks_the_rules_fails_the_connection(sent: bytes) -> None:
    async with peer() as client:
        await client.send(HELLO + sent)
        assert await client.receive() == (TEXT, b"Hello")
        assert await client.close_code() == BROKEN


@pytest.mark.parametrize("header", ["c1", "83", "08"])
async def test_a_bad_first_byte_is_refused_without_waiting_for_the_rest(header: str) -> None:
    async with peer() as client:
        await client.send(bytes.fromhex(header))
        assert await client.close_code() == BROKEN


async def test_nothing_after_a_broken_frame_is_read() -> None:
    async with peer() as client:
        await client.send(bytes.fromhex("8305") + HELLO * 3)
        assert await client.close_code() == BROKEN


# Control frames, section 5.5


@pytest.mark.parametrize("payload", [b"", b"\x00\xff\xfe", b"x" * 125])
async def test_a_ping_is_answered_with_its_payload(payload: bytes) -> None:
    async with peer() as client:
        await client.send(frame(FIN | PING, payload))
        assert await client.receive() == (PONG, payload)


async def test_an_unsolicited_pong_is_ignored() -> None:
    async with peer() as client:
        await client.send(frame(FIN | PONG, b"x") + HELLO)
        assert await client.receive() == (TEXT, b"Hello")


async def test_pings_between_fragments_are_answered_at_once() -> None:
    async with peer() as client:
        await client.send(frame(TEXT, b"Hel") + frame(FIN | PING, b"1"))
        assert await client.receive() == (PONG, b"1")
        await client.send(frame(FIN | CONTINUATION, b"lo"))
        assert await client.receive() == (TEXT, b"Hello")


# Closing, section 7


async def test_a_close_is_answered_after_the_messages_before_it() -> None:
    async with peer() as client:
        await client.send(HELLO + frame(FIN | CLOSE, b"\x03\xe8bye") + HELLO)
        assert await client.receive() == (TEXT, b"Hello")
        assert await client.close_code() == 1000


async def test_a_close_without_a_code_is_answered_without_one() -> None:
    async with peer() as client:
        await client.send(frame(FIN | CLOSE))
        assert await client.close_code() is None


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1014, 3000, 3999, 4999])
async def test_a_close_code_that_may_be_sent_is_echoed(code: int) -> None:
    async with peer() as client:
        await client.send(frame(FIN | CLOSE, code.to_bytes(2, "big") + "grüße".encode()))
        assert await client.close_code() == code


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
async def test_a_close_code_that_may_not_be_sent_is_a_broken_frame(code: int) -> None:
    async with peer() as client:
        await client.send(frame(FIN | CLOSE, code.to_bytes(2, "big")))
        assert await client.close_code() == BROKEN


async def test_half_a_close_code_is_a_broken_frame() -> None:
    async with peer() as client:
        await client.send(frame(FIN | CLOSE, b"\x03"))
        assert await client.close_code() == BROKEN


async def test_a_close_reason_is_text() -> None:
    async with peer() as client:
        await client.send(frame(FIN | CLOSE, b"\x03\xe8\xce\xba\xff"))
        assert await client.close_code() == INVALID_TEXT


# Text, section 8.1

BAD_TEXTS = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xce", b"x" * 200 + b"\x80"]


@pytest.mark.parametrize("text", BAD_TEXTS)
async def test_text_that_is_not_utf8_fails_the_connection(text: bytes) -> None:
    async with peer() as client:
        await client.send(frame(FIN | TEXT, text))
        assert await client.close_code() == INVALID_TEXT


@pytest.mark.parametrize("text", BAD_TEXTS)
async def test_text_that_is_not_utf8_in_fragments_fails_the_connection(text: bytes) -> None:
    async with peer() as client:
        await client.send(frame(TEXT, text), frame(FIN | CONTINUATION))
        assert await client.close_code() == INVALID_TEXT


async def test_a_bad_byte_is_refused_before_the_message_is_complete() -> None:
    async with peer() as client:
        await client.send(frame(FIN | TEXT, b"good" + b"\xf4\x90" + b"never sent")[:12])
        assert await client.close_code() == INVALID_TEXT


async def test_binary_messages_need_not_be_text() -> None:
    async with peer() as client:
        await client.send(frame(FIN | BINARY, b"\xff\xfe"))
        assert await client.receive() == (BINARY, b"\xff\xfe")


# What the engine adds: bounds


@pytest.mark.parametrize("length", [MAX_MESSAGE_BYTES + 1, 65_536, 1 << 40])
async def test_a_message_too_large_is_refused_before_it_is_sent(length: int) -> None:
    size = b"\xfe" + length.to_bytes(2, "big") if length < 65_536 else b"\xff" + length.to_bytes(8, "big")
    async with peer() as client:
        await client.send(b"\x82" + size)
        assert await client.close_code() == TOO_LARGE


async def test_fragments_too_large_together_are_refused() -> None:
    async with peer() as client:
        await client.send(frame(TEXT, b"x" * MAX_MESSAGE_BYTES), frame(CONTINUATION, b"x")[:2])
        assert await client.close_code() == TOO_LARGE


@pytest.mark.parametrize("flood", [frame(FIN | PONG), frame(FIN | TEXT, b"3"), frame(CONTINUATION)])
async def test_a_flood_of_small_frames_is_closed(flood: bytes) -> None:
    start = frame(TEXT) if flood[0] == CONTINUATION else b""
    async with peer() as client:
        await client.send(start + flood * (3 * MAX_FRAMES_PER_S))
        assert await client.close_code() == FLOOD
