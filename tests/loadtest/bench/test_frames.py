import pytest

from loadtest.bench.frames import connect, event, frame_size, masked, split
from loadtest.peers.bare_uvloop import frame, unmask


def _unmasked(data: bytes) -> bytes:
    start = {126: 4, 127: 10}.get(data[1] & 127, 2)
    return unmask(data[start + 4 :], data[start : start + 4])


@pytest.mark.parametrize(("size", "head"), [(125, b"\x81\xfd"), (126, b"\x81\xfe\x00\x7e"), (65_536, b"\x81\xff")])
def test_a_client_masks_and_tells_the_length_in_the_shortest_form(size: int, head: bytes) -> None:
    data = masked("x" * size)
    assert data.startswith(head) and _unmasked(data) == b"x" * size
    assert b"xxxx" not in data


def test_packets_are_those_of_socket_io() -> None:
    assert _unmasked(event("pub", {"text": "hi"})) == b'42["pub",{"text":"hi"}]'
    assert _unmasked(event("echo", {"text": "hi"}, ack_id=1)) == b'421["echo",{"text":"hi"}]'
    assert _unmasked(connect("/", {})) == b"40"
    assert _unmasked(connect("/b", {})) == b"40/b,"
    assert _unmasked(connect("/", {"token": "t"})) == b'40{"token": "t"}'


@pytest.mark.parametrize("size", [0, 125, 126, 1_000])
def test_frames_are_found_in_any_split(size: int) -> None:
    whole = frame(b"a" * size)
    assert frame_size(whole[:10].ljust(10, b"a")) == len(whole)
    payloads, rest = split(whole + whole + b"\x81")
    assert (payloads, rest) == ([b"a" * size] * 2, b"\x81")
    assert split(whole[:-1]) == ([], whole[:-1])


def test_a_frame_longer_than_65_535_bytes_is_measured() -> None:
    assert frame_size(b"\x81\x7f" + (70_000).to_bytes(8, "big")) == 70_010
    assert frame_size(b"\x81") == 0
