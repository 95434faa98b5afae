"""The HTTP responses of Engine.IO."""

from __future__ import annotations

import math
from enum import Enum

import orjson
from aiohttp import web

from realtime.engine.session.policy import HandshakeRefusal


class BadRequest(Enum):
    """Why a request breaks the protocol: the code and the message of Engine.IO."""

    UNKNOWN_TRANSPORT = (0, "Transport unknown")
    UNKNOWN_SID = (1, "Session ID unknown")
    BAD_HANDSHAKE_METHOD = (2, "Bad handshake method")
    BAD_REQUEST = (3, "Bad request")
    FORBIDDEN = (4, "Forbidden")
    UNSUPPORTED_VERSION = (5, "Unsupported protocol version")


def poll_answer(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="text/plain", charset="utf-8", headers={"Cache-Control": "no-store"})


def bad_request(reason: BadRequest) -> web.Response:
    code, message = reason.value
    status = 403 if reason is BadRequest.FORBIDDEN else 400
    return _json(status, {"code": code, "message": message})


def too_large() -> web.Response:
    """Closes the HTTP connection too: the body was not read to its end."""
    response = _json(413, {"code": "too_large", "message": "Payload too large"})
    response.force_close()
    return response


def refused(refusal: HandshakeRefusal) -> web.Response:
    response = _json(refusal.status, {"code": refusal.code, "message": "Try again later"})
    response.headers["Retry-After"] = str(max(1, math.ceil(refusal.retry_after_s)))
    return response


def _json(status: int, body: dict[str, object]) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")
