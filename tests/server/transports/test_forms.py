"""HTML forms, as clients encode them, and what is no form."""

from __future__ import annotations

import aiohttp
import pytest

from realtime.contract.rest import MULTIPART, URL_ENCODED
from server.transports.forms import read_form

FIELDS = {"username": "ada", "password": "päss word&=+%\r\n--x", "scope": ""}
EDGE = "multipart/form-data; boundary=edge"


def part(name: str, text: str) -> bytes:
    return f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()


def test_a_form_is_read_as_it_was_written() -> None:
    encoded = aiohttp.FormData(FIELDS)()
    assert read_form(f"{URL_ENCODED}; charset=utf-8", bytes(encoded._value)) == FIELDS
    body = b"".join(part(name, text) for name, text in FIELDS.items()) + b"--edge--\r\n"
    assert read_form(EDGE, body) == FIELDS
    assert read_form(EDGE, b"a preamble\r\n" + body + b"an epilogue") == FIELDS
    assert read_form(URL_ENCODED, b"") == read_form(EDGE, b"--edge--") == {}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (URL_ENCODED, b"a=1&a=2"),
        (URL_ENCODED, b"a=%ff"),
        (URL_ENCODED, b"\xff=1"),
        (URL_ENCODED, b"&".join(b"a%d=1" % number for number in range(51))),
        (MULTIPART, part("a", "1") + b"--edge--"),
        (f"{MULTIPART}; boundary*=edge; boundary*0=edge", part("a", "1") + b"--edge--"),
        (EDGE, b""),
        (EDGE, part("a", "1")),
        (EDGE, part("a", "1") + part("a", "2") + b"--edge--"),
        (EDGE, b"--edge\r\n\r\n1\r\n--edge--"),
        (EDGE, b'--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--edge--'),
        (EDGE, b"".join(part(f"a{number}", "1") for number in range(51)) + b"--edge--"),
    ],
)
def test_what_is_no_form_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_form(content_type, body)
