"""Lets web pages of allowed origins call the REST API (the Fetch standard's CORS)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from realtime.contract.rest import API_PREFIXES, IDEMPOTENCY_HEADER
from realtime.engine.http.origins import OriginPolicy
from realtime.engine.http.sharing import preflight, share_with_page
from server.transports.answer_headers import REQUEST_ID_HEADER

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
HEADERS = ("Authorization", "Content-Type", IDEMPOTENCY_HEADER)

_EXPOSED = ", ".join((hdrs.RETRY_AFTER, hdrs.ETAG, hdrs.LINK, REQUEST_ID_HEADER))
_API_PATHS = tuple(f"{prefix}/" for prefix in API_PREFIXES)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SharedApi:
    """Answers preflight requests, and adds the CORS headers to answers for pages of allowed origins.

    Requests from other pages are answered too, without the headers: the browser withholds the answer from the page.
    Such a page cannot act for a user, since callers authenticate by a token and not by a cookie.
    """

    def __init__(self, origins: OriginPolicy) -> None:
        self._origins = origins

    def attach(self, app: web.Application) -> None:
        app.middlewares.append(self._answer_preflight)
        # At the moment of sending, so that answers to requests that failed have the headers too.
        app.on_response_prepare.append(self._share)

    @web.middleware
    async def _answer_preflight(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        is_preflight = request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        if is_preflight and request.path.startswith(_API_PATHS) and self._origins.allows(request):
            return preflight(request, methods=METHODS, headers=HEADERS)
        return await handler(request)

    async def _share(self, request: web.Request, response: web.StreamResponse) -> None:
        if not request.path.startswith(_API_PATHS):
            return
        is_allowed = self._origins.allows(request)
        if not is_allowed:
            self._origins.log_refusal(request)
        share_with_page(response, request.headers.get(hdrs.ORIGIN) if is_allowed else None, self._origins)
        if is_allowed and hdrs.ORIGIN in request.headers:
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED
