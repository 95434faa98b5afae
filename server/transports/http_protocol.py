"""What aiohttp answers by itself, in the usual envelope: to malformed requests, unknown paths, failures of handlers."""

from __future__ import annotations

import uuid
from typing import Final

import structlog
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from realtime.contract.errors import INTERNAL, INVALID_PAYLOAD, TOO_LARGE, UNKNOWN_COMMAND, CommandError
from server.transports.answer_headers import REQUEST_ID, add_headers
from server.transports.rest_answers import refusal

MAX_URL_BYTES: Final = 8_190
MAX_HEADER_BYTES: Final = 16_384
"""Of one header with its name. A host whose other applications set many cookies sends them here too."""
MAX_HEADERS: Final = 128

_LOGGED_PATH_CHARACTERS: Final = 200

log = structlog.get_logger(__name__)


class HttpProtocol(web.RequestHandler):
    """aiohttp's side of one connection. No answer quotes the request."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to a request that could not be read, or whose handler has failed; it ends the connection."""
        if isinstance(exc, ConnectionError) and request.transport is None:
            raise exc  # the client broke off its body: there is nobody to answer
        if isinstance(exc, HttpProcessingError):
            # Not a warning, since any client could fill the log; and not its message, which quotes the request.
            log.debug("malformed_request", peer=request.remote, kind=type(exc).__name__)
            answer = _malformed(exc)
        else:
            answer = _failed(request, exc)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of another answer is sent already")
        answer.force_close()
        return answer

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if isinstance(resp, web.HTTPError):
            resp = _in_envelope(resp)
        if not resp.prepared and request.get(REQUEST_ID) is None:  # it was malformed, or is of an engine
            add_headers(resp, uuid.uuid4().hex[:16])
        return await super().finish_response(request, resp, start_time)


def _malformed(error: Exception) -> web.Response:
    if isinstance(error, LineTooLong):
        # The limit is all that tells which line it was.
        if error.args[1] == MAX_URL_BYTES:
            return refusal(CommandError(TOO_LARGE, f"A URL may have at most {MAX_URL_BYTES} bytes."), status=414)
        return refusal(CommandError(TOO_LARGE, f"A header may have at most {MAX_HEADER_BYTES} bytes."), status=431)
    if str(error.args[:1]).startswith("('Too many headers"):
        return refusal(CommandError(TOO_LARGE, f"A request may have at most {MAX_HEADERS} headers."), status=431)
    return refusal(CommandError(INVALID_PAYLOAD, "This is no well-formed request of HTTP/1.1."), status=400)


def _failed(request: web.BaseRequest, error: BaseException | None) -> web.Response:
    incident = request.get(REQUEST_ID) or uuid.uuid4().hex[:16]
    log.error(
        "request_failed",
        method=request.method,
        path=request.path[:_LOGGED_PATH_CHARACTERS],
        incident=incident,
        exc_info=error or True,
    )
    return refusal(CommandError(INTERNAL, f"The server failed. The log has the details under {incident}."), status=500)


def _in_envelope(error: web.HTTPError) -> web.Response:
    """The same refusal as one of aiohttp."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted({*error.allowed_methods, hdrs.METH_OPTIONS}))
        if error.method == hdrs.METH_OPTIONS:
            return web.Response(status=204, headers={hdrs.ALLOW: allowed})
        answer = refusal(CommandError(UNKNOWN_COMMAND, f"This route takes {allowed}."), status=405)
        answer.headers[hdrs.ALLOW] = allowed
    elif isinstance(error, web.HTTPNotFound):
        answer = refusal(CommandError(UNKNOWN_COMMAND, "There is no such route."), status=404)
    elif isinstance(error, web.HTTPRequestEntityTooLarge):
        answer = refusal(CommandError(TOO_LARGE, "The body is too large."), status=413)
    elif isinstance(error, web.HTTPExpectationFailed):
        answer = refusal(CommandError(INVALID_PAYLOAD, "Nothing but 100-continue may be expected."), status=417)
    elif error.status < 500:
        answer = refusal(CommandError(INVALID_PAYLOAD, "This request cannot be served."), status=error.status)
    else:
        answer = refusal(CommandError(INTERNAL), status=error.status)
    return answer
