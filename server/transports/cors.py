"""Lets pages of other, allowed origins call `/v1` from a browser (the Fetch standard's CORS)."""

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
    """Answers the browser's preflight requests, and marks what an allowed page may read.

    A page that is not allowed gets the same answers without the mark: its browser keeps them from it. Nothing can be
    done in somebody's name that way, since callers show a token and no cookie.
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
