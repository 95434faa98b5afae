import pytest

from realtime.engine.protocol.frames import (
    BINARY,
    MESSAGE,
    EnginePacket,
    MalformedPacket,
    Outgoing,
    close_frame,
    decode_payload,
    decode_text,
    encode_payload,
)


@pytest.mark.parametrize(
    ("size_bytes", "header"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_a_text_frame_says_its_length_in_the_shortest_form(size_bytes: int, header: bytes) -> None:
    assert Outgoing(b"x" * size_bytes).frame == header + b"x" * size_bytes


def test_a_close_frame_carries_code_and_reason() -> None:
    assert close_frame(4012, "draining") == b"\x88\x0a\x0f\xacdraining"


def test_a_packet_is_framed_once() -> None:
    packet = Outgoing(b"2")
    assert packet.frame is packet.frame


def test_a_payload_is_decoded_as_it_was_encoded() -> None:
    assert decode_payload(encode_payload([b"4a", b"bAQI="])) == [
        EnginePacket(MESSAGE, b"a"),
        EnginePacket(BINARY, b"\x01\x02"),
    ]


@pytest.mark.parametrize("body", [b"", b"4a\x1e", b"x", b"bA", b"b\xff"])
def test_a_malformed_payload_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedPacket):
        decode_payload(body)


def test_a_binary_mark_is_no_packet_type_on_a_websocket() -> None:
    with pytest.raises(MalformedPacket):
        decode_text(b"bAQI=")
