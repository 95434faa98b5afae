"""Answers of commands as HTTP: conditional reads, the next page, compression."""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import zlib
from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import ETag, hdrs, web
from yarl import URL

from realtime.contract.declarations import AUTH_NAMESPACE, Command, Route
from realtime.contract.errors import CommandError
from realtime.contract.wire import answer_error
from server.pipeline.dispatch import Answer
from server.transports.negotiation import takes_gzip

COMPRESSED_FROM_BYTES: Final = 2_048
IN_A_THREAD_FROM_BYTES: Final = 32_768
"""Smaller bodies are compressed in less than a millisecond."""
_LEVEL: Final = 1
_GZIP: Final = zlib.MAX_WBITS | 16
_NEXT_CURSOR: Final = re.compile(rb'[{,]"next_cursor":("[^"]*")')
"""In a text the quotation marks would be escaped."""
_CLOCK: Final = re.compile(rb'"server_time_ms":\d+')
"""It changes with every read of what is otherwise the same."""


class RestAnswers:
    """Makes the answers of one route.

    A read has an ETag, and is answered with 304 where the client has it already; a list with a next page has its
    address in `Link`. Answers of `/auth` are never compressed: their length would tell about the tokens in them.
    """

    def __init__(self, route: Route, command: Command[Any, Any]) -> None:
        self._status = route.status
        self._is_read = route.method == "GET"
        fields = command.payload.model_fields
        self._cursor_fields = [name for name in ("after_seq", "before_seq", "before") if name in fields]
        self._may_compress = command.namespace != AUTH_NAMESPACE

    async def response(self, request: web.Request, answer: Answer) -> web.Response:
        made = response(answer, self._status)
        is_large = self._may_compress and len(answer.body) >= COMPRESSED_FROM_BYTES
        if is_large:
            made.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING  # also of 304: a cache keeps it with the answer
        if self._is_read and answer.error is None:
            made.headers[hdrs.CACHE_CONTROL] = "private, no-cache"
            made.etag = ETag(hashlib.blake2b(_CLOCK.sub(b"", answer.body), digest_size=12).hexdigest(), is_weak=True)
            following = self._next_page(request.rel_url, answer.body)
            if following is not None:
                made.headers[hdrs.LINK] = f'<{following}>; rel="next"'
            if any(tag.value in ("*", made.etag.value) for tag in request.if_none_match or ()):
                made.set_status(304)
                made.body = None
                return made
        if is_large and takes_gzip(request):
            made.body = await _gzipped(answer.body)
            made.headers[hdrs.CONTENT_ENCODING] = "gzip"
        return made

    def _next_page(self, url: URL, body: bytes) -> URL | None:
        """The address of the next page, relative to this host; None for the last one, and for what is no list."""
        if not self._cursor_fields:
            return None
        found = _NEXT_CURSOR.search(body)
        if found is None:
            return None
        # A client that goes forward has said so by its field; else the first declared one goes back.
        name = next((one for one in self._cursor_fields if one in url.query), self._cursor_fields[-1])
        query: Mapping[str, str] = {one: value for one, value in url.query.items() if one != "offset"}
        return url.with_query({**query, name: str(orjson.loads(found[1]))})


def response(answer: Answer, status: int) -> web.Response:
    """An answer as HTTP; `status` is that of success. `Retry-After` is in whole seconds, where a retry may succeed."""
    error = answer.error
    headers = {"Cache-Control": "no-store"}
    if error is not None and error.retry_after_ms is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after_ms / 1000))
    if error is not None and error.code.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(
        body=answer.body,
        status=error.code.status if error else status,
        content_type="application/json",
        headers=headers,
    )


def refusal(error: CommandError, *, status: int | None = None) -> web.Response:
    """The answer that tells of an error. `status`: the one that HTTP has for this case; None: that of the error."""
    refused = response(Answer(answer_error(error), error), error.code.status)
    if status is not None:
        refused.set_status(status)
    return refused


async def _gzipped(body: bytes) -> bytes:
    if len(body) < IN_A_THREAD_FROM_BYTES:
        return _compress(body)
    return await asyncio.to_thread(_compress, body)


def _compress(body: bytes) -> bytes:
    return zlib.compress(body, _LEVEL, _GZIP)
