"""Reads the head of a plain HTTP request: what nearly every WebSocket client sends to open a connection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from aiohttp import hdrs
from multidict import CIMultiDict, MultiMapping

MAX_BYTES: Final = 8_190
"""A line of this length is the longest that aiohttp takes; a whole plain head is far below it."""
MAX_HEADERS: Final = 100

_METHOD: Final = b"GET "
_END: Final = b"\r\n\r\n"
_PLAIN_QUERY: Final = re.compile(r"[\w.~-]+=[\w.~-]*(?:&[\w.~-]+=[\w.~-]*)*", re.ASCII)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~\w-]+", re.ASCII)
_OF_A_BODY: Final = (hdrs.CONTENT_LENGTH, hdrs.TRANSFER_ENCODING, hdrs.EXPECT)


class RequestHead(NamedTuple):
    """A GET request of HTTP/1.1 without a body. `remote` is the address of the socket's peer, None on a Unix socket."""

    path: str
    query: Mapping[str, str]
    headers: MultiMapping[str]
    remote: str | None


def read_head(data: bytes, remote: str | None) -> tuple[RequestHead, bytes] | None:
    """The head that `data` begins with, and the bytes after it.

    None for a head that is not complete, is large, or is not plain: anything that could be read in two ways (escapes in
    the query, doubled fields, folded lines, other than printable ASCII) is left to an HTTP server.
    """
    end = data.find(_END)
    if not 0 < end <= MAX_BYTES or not data.startswith(_METHOD):
        return None
    try:
        first, *lines = data[:end].decode("ascii").split("\r\n")
    except UnicodeDecodeError:
        return None
    _, target, version = first.split(" ") if first.count(" ") == 2 else ("", "", "")
    path, _, query_text = target.partition("?")
    if version != "HTTP/1.1" or not target.isprintable() or not _PLAIN_QUERY.fullmatch(query_text):
        return None
    fields = [field.split("=") for field in query_text.split("&")]
    query = dict(fields)
    headers = _read_headers(lines)
    if headers is None or len(query) < len(fields):
        return None
    return RequestHead(path, query, headers, remote), data[end + len(_END) :]


def _read_headers(lines: list[str]) -> MultiMapping[str] | None:
    if len(lines) > MAX_HEADERS:
        return None
    headers = CIMultiDict[str]()
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not value.isprintable() or not _HEADER_NAME.fullmatch(name):
            return None
        headers.add(name, value.strip(" "))
    if len(headers.getall(hdrs.HOST, ())) != 1 or any(name in headers for name in _OF_A_BODY):
        return None
    return headers
