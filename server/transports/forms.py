"""Reads the fields of HTML forms, as OAuth2 clients send them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from typing import Final
from urllib.parse import parse_qsl

from realtime.contract.rest import URL_ENCODED

_FIELDS_MAX: Final = 50
_NAME: Final = re.compile(rb'[;\s]name="([^"]*)"')


def read_form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form; `content_type` is the header. Raises ValueError."""
    header = Message()
    header["Content-Type"] = content_type
    try:
        kind, boundary = header.get_content_type(), str(header.get_boundary(""))
    except TypeError:  # of the email package, where continued parameters contradict each other
        raise ValueError("the content type cannot be read") from None
    if kind == URL_ENCODED:
        text = body.decode()
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    else:
        pairs = list(_parts(boundary, body))
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is given twice")
    return fields


def _parts(boundary: str, body: bytes) -> Iterator[tuple[str, str]]:
    """Name and text of each part of a multipart form."""
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode(), _FIELDS_MAX)
    if not boundary or not parts[-1].startswith(b"--"):
        raise ValueError("the form has no end")
    for part in parts[1:-1]:
        head, _, text = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if name is None:
            raise ValueError("a part of the form has no name")
        yield name[1].decode(), text.decode()
