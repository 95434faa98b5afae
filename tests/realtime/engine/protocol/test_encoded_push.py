"""A push is encoded once for each form that is needed."""

import msgpack
import pytest

from realtime.engine.protocol import msgpack_packets, packets
from realtime.engine.protocol.codec import Codec
from realtime.engine.protocol.encoded_push import EncodedPush

CODECS = pytest.mark.parametrize("codec", [packets, msgpack_packets], ids=["json", "msgpack"])


def _push(push_id: str | None = "a.1") -> EncodedPush:
    return EncodedPush("/chat", "said", b'{"text":"hello"}', push_id)


@CODECS
def test_a_form_is_made_once(codec: Codec) -> None:
    push = _push()
    for with_offset in (False, True):
        assert push.packet(codec, with_offset=with_offset) is push.packet(codec, with_offset=with_offset)
    assert push.packet(codec, with_offset=False) is not push.packet(codec, with_offset=True)


@CODECS
def test_a_push_without_an_id_never_has_an_offset(codec: Codec) -> None:
    push = _push(None)
    assert push.packet(codec, with_offset=True) is push.packet(codec, with_offset=False)


def test_the_offset_is_the_last_argument() -> None:
    push = _push()
    assert push.packet(packets, with_offset=False).payload == b'42/chat,["said",{"text":"hello"}]'
    assert push.packet(packets, with_offset=True).payload == b'42/chat,["said",{"text":"hello"},"a.1"]'
    frame = push.packet(msgpack_packets, with_offset=True).frame
    assert frame[0] == 0x82
    assert msgpack.unpackb(frame[2:]) == {"type": 2, "nsp": "/chat", "data": ["said", {"text": "hello"}, "a.1"]}
