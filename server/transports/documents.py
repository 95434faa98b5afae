"""Serves the documents of the API to everybody: `/types.d.ts` and the others of `Documents`."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from aiohttp import ETag, hdrs, web

from server.documents.documents import Documents

_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"
_HEADERS: Final = {
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
    hdrs.CACHE_CONTROL: "no-cache",  # kept, and asked for again: the next version of the server has other documents
    hdrs.VARY: hdrs.ACCEPT_ENCODING,
    "X-Content-Type-Options": "nosniff",
}


class _Encoded(NamedTuple):
    """`tag` names the document in either encoding, so it is a weak ETag."""

    plain: bytes
    gzipped: bytes
    tag: ETag


class ServedDocuments:
    """Answers with the documents, made and compressed in a thread when the first client asks."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._encoded: dict[str, _Encoded] = {}

    def attach(self, app: web.Application) -> None:
        for name in self._documents.names:
            app.router.add_get(f"/{name}", self._handler(name))

    def _handler(self, name: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            encoded = self._encoded.get(name)
            if encoded is None:
                encoded = self._encoded[name] = await asyncio.to_thread(self._encode, name)
            return _response(request, encoded, _JSON if name.endswith(".json") else _TEXT)

        return handle

    def _encode(self, name: str) -> _Encoded:
        body = self._documents.body(name)
        tag = ETag(hashlib.sha256(body).hexdigest()[:32], is_weak=True)
        return _Encoded(body, gzip.compress(body, mtime=0), tag)


def _response(request: web.Request, encoded: _Encoded, content_type: str) -> web.Response:
    if any(tag.value in ("*", encoded.tag.value) for tag in request.if_none_match or ()):
        response = web.Response(status=304, headers=_HEADERS)
    elif _takes_gzip(request):
        headers = {**_HEADERS, hdrs.CONTENT_TYPE: content_type, hdrs.CONTENT_ENCODING: "gzip"}
        response = web.Response(body=encoded.gzipped, headers=headers)
    else:
        response = web.Response(body=encoded.plain, headers={**_HEADERS, hdrs.CONTENT_TYPE: content_type})
    response.etag = encoded.tag
    return response


def _takes_gzip(request: web.Request) -> bool:
    for part in request.headers.get(hdrs.ACCEPT_ENCODING, "").split(","):
        coding, _, weight = part.partition(";")
        if coding.strip().lower() == "gzip":
            return weight.replace(" ", "").rstrip("0.") != "q="
    return False
