"""Lets web pages of allowed origins call the REST API (the Fetch standard's CORS)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

from aiohttp import web
from aiohttp.typedefs import Middleware

from realtime.engine.http.peer import Network, origin_allowed
from server.transports.rest import API_PREFIXES, IDEMPOTENCY_HEADER

PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": f"Authorization, Content-Type, {IDEMPOTENCY_HEADER}",
    "Access-Control-Max-Age": "86400",
}

_API_PATHS = tuple(f"{prefix}/" for prefix in API_PREFIXES)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def share_api_with_pages(allowed_origins: Collection[str], trusted_proxies: Sequence[Network]) -> Middleware:
    """Answers preflight requests, and adds the CORS headers to answers for pages of allowed origins.

    Requests from other pages are answered too, without the headers: the browser withholds the answer from the page.
    Such a page cannot act for a user, since callers authenticate by a token and not by a cookie.
    """

    @web.middleware
    async def share(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if not request.path.startswith(_API_PATHS):
            return await handler(request)
        origin = request.headers.get("Origin")
        allowed = origin is not None and origin_allowed(request, allowed_origins, trusted_proxies)
        response: web.StreamResponse
        if allowed and request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response = web.Response(status=204, headers=PREFLIGHT)
        else:
            response = await handler(request)
        response.headers["Vary"] = "Origin"
        if allowed and origin is not None:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = "Retry-After"
        return response

    return share
