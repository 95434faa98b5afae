"""Serves a body that is made when the first client asks for it."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

from aiohttp import ETag, hdrs, web

from server.transports.negotiation import takes_gzip


class _Encoded(NamedTuple):
    """`tag` names the document in either encoding, so it is a weak ETag."""

    plain: bytes
    gzipped: bytes
    tag: ETag


class LazyDocument:
    """Answers with one document, with conditional reads; it is made and compressed in a thread, once."""

    def __init__(self, make: Callable[[], bytes], content_type: str, headers: Mapping[str, str]) -> None:
        self._make = make
        self._content_type = content_type
        self._headers = {**headers, hdrs.VARY: hdrs.ACCEPT_ENCODING}
        self._encoded: _Encoded | None = None

    async def handle(self, request: web.Request) -> web.Response:
        if self._encoded is None:
            self._encoded = await asyncio.to_thread(self._encode)
        return self._response(request, self._encoded)

    def _encode(self) -> _Encoded:
        body = self._make()
        tag = ETag(hashlib.sha256(body).hexdigest()[:32], is_weak=True)
        return _Encoded(body, gzip.compress(body, mtime=0), tag)

    def _response(self, request: web.Request, encoded: _Encoded) -> web.Response:
        headers = {**self._headers, hdrs.CONTENT_TYPE: self._content_type}
        if any(tag.value in ("*", encoded.tag.value) for tag in request.if_none_match or ()):
            response = web.Response(status=304, headers=self._headers)
        elif takes_gzip(request):
            response = web.Response(body=encoded.gzipped, headers={**headers, hdrs.CONTENT_ENCODING: "gzip"})
        else:
            response = web.Response(body=encoded.plain, headers=headers)
        response.etag = encoded.tag
        return response
