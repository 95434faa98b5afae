"""Only what every HTTP server reads in the same way is read as a plain head."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.engine.http.request_head import read_head

HEAD = b"GET /path/?a=1&b= HTTP/1.1\r\nHost: here\r\nX-One: 1\r\nx-one:  2 \r\n\r\n"


def test_a_plain_head_is_read_with_the_bytes_after_it() -> None:
    found = read_head(HEAD + b"early", "127.0.0.1")
    assert found is not None
    head, early = found
    assert (head.path, head.query, head.remote, early) == ("/path/", {"a": "1", "b": ""}, "127.0.0.1", b"early")
    assert (head.headers["HOST"], head.headers.getall("X-One")) == ("here", ["1", "2"])


@pytest.mark.parametrize("end", range(len(HEAD)))
def test_an_incomplete_head_is_not_read(end: int) -> None:
    assert read_head(HEAD[:end], None) is None


@given(st.integers(0, len(HEAD) - 5), st.binary(min_size=1, max_size=1))
def test_a_byte_that_is_no_plain_text_makes_it_unreadable(place: int, byte: bytes) -> None:
    found = read_head(HEAD[:place] + byte + HEAD[place + 1 :], None)
    if byte < b" " or byte > b"~":
        at_line_end = HEAD[place : place + 1] in (b"\r", b"\n") and byte == HEAD[place : place + 1]
        assert found is None or at_line_end


@pytest.mark.parametrize(
    "head",
    [
        HEAD.replace(b"GET", b"get"),
        HEAD.replace(b"?a=1&b=", b""),
        HEAD.replace(b"a=1", b"a=%31"),
        HEAD.replace(b"b=", b"a="),
        HEAD.replace(b"/path/", b"/pa th/"),
        HEAD.replace(b"Host: here\r\n", b""),
        HEAD.replace(b"X-One: 1", b"Host: there"),
        HEAD.replace(b"X-One: 1", b" folded"),
        HEAD.replace(b"X-One: 1", b"Transfer-Encoding: chunked"),
        HEAD.replace(b"X-One: 1", b"Content-Length: 0"),
        HEAD.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_what_is_not_plain_is_not_read(head: bytes) -> None:
    assert read_head(head, None) is None
