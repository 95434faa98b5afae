"""Headers that every answer over HTTP has, whatever it answers: the id of its request, and rules for browsers."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiohttp import web

REQUEST_ID_HEADER: Final = "X-Request-Id"
REQUEST_ID: Final = web.RequestKey("request_id", str)
"""The id of a request; the log lines of what it causes have it under this name."""
RESOURCE_POLICY: Final = "Cross-Origin-Resource-Policy"
_VALID_ID: Final = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)
_ENGINES: Final = "/socket.io"
"""Their answers get the headers where they are sent: nothing is bound to the log for each poll."""
_FOR_BROWSERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Pages set their own; nothing else here is to be shown as one, or in a frame.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    # Pages of other sites may not embed it; what CORS grants them is not concerned.
    RESOURCE_POLICY: "same-origin",
}

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_headers(response: web.StreamResponse, request_id: str) -> None:
    """Gives an answer the id, and the rules for browsers that it has not set itself."""
    response.headers[REQUEST_ID_HEADER] = request_id
    for name, value in _FOR_BROWSERS.items():
        response.headers.setdefault(name, value)


class AnswerHeaders:
    """Gives each request an id, the client's own where it sends one, and each answer these headers."""

    def attach(self, app: web.Application) -> None:
        app.middlewares.append(_identify)
        app.on_response_prepare.append(_complete)


@web.middleware
async def _identify(request: web.Request, handler: _Handler) -> web.StreamResponse:
    if request.path.startswith(_ENGINES):
        return await handler(request)
    given = request.headers.get(REQUEST_ID_HEADER, "")
    request_id = given if _VALID_ID.fullmatch(given) else secrets.token_hex(8)
    request[REQUEST_ID] = request_id
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        return await handler(request)


async def _complete(request: web.Request, response: web.StreamResponse) -> None:
    request_id = request.get(REQUEST_ID)
    if request_id is not None:
        add_headers(response, request_id)
