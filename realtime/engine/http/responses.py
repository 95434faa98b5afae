"""The HTTP responses of Engine.IO."""

from __future__ import annotations

import math
from enum import Enum

import orjson
from aiohttp import hdrs, web

from realtime.contract.errors import FORBIDDEN, INVALID_PAYLOAD, RATE_LIMITED, TOO_LARGE, UNAVAILABLE, CommandError
from realtime.contract.wire import answer_error
from realtime.engine.session.policy import HandshakeRefusal
from realtime.engine.websocket.upgrade import VERSION, UpgradeFlaw


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
    if reason is BadRequest.FORBIDDEN:
        return _error(403, code, message, CommandError(FORBIDDEN, "Pages of this origin may not connect."))
    return _error(400, code, message, CommandError(INVALID_PAYLOAD, f"{message}."))


def bad_upgrade(flaw: UpgradeFlaw) -> web.Response:
    """The answer to a request that has to be an opening handshake and is none."""
    code, _ = BadRequest.BAD_REQUEST.value
    is_other_version = flaw is UpgradeFlaw.OTHER_VERSION
    status = 426 if is_other_version else 400
    response = _error(status, code, flaw.value, CommandError(INVALID_PAYLOAD, f"{flaw.value}."))
    if is_other_version:
        response.headers.update({hdrs.UPGRADE: "websocket", hdrs.SEC_WEBSOCKET_VERSION: VERSION})
    return response


def too_large() -> web.Response:
    """Closes the HTTP connection too: the body was not read to its end."""
    response = _error(413, TOO_LARGE.code, "Payload too large", CommandError(TOO_LARGE, "The body is too large."))
    response.force_close()
    return response


def refused(refusal: HandshakeRefusal) -> web.Response:
    code = RATE_LIMITED if refusal.status == RATE_LIMITED.status else UNAVAILABLE
    retry_after_s = max(1, math.ceil(refusal.retry_after_s))
    error = CommandError(code, retry_after_ms=retry_after_s * 1000)
    response = _error(refusal.status, refusal.code, "Try again later", error)
    response.headers[hdrs.RETRY_AFTER] = str(retry_after_s)
    return response


def _error(status: int, code: int | str, message: str, error: CommandError) -> web.Response:
    """Holds the code and message of Engine.IO, which its clients know, and the envelope of all other answers."""
    fields = orjson.dumps({"code": code, "message": message})
    body = fields[:-1] + b"," + answer_error(error)[1:]
    return web.Response(status=status, body=body, content_type="application/json")
