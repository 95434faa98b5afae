"""The REST API: the routes of each command, from its declaration.

Payload, answer and errors are those of the socket.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import orjson
from aiohttp import hdrs, web

from handlers.feature import BoundCommand
from realtime.contract.declarations import Command, Route
from realtime.contract.errors import FORBIDDEN, UNKNOWN_COMMAND, CommandError
from realtime.contract.unparseable import Unparseable
from realtime.contract.wire import answer_error
from server.accounts.authenticator import Authenticator
from server.pipeline.dispatch import Answer, Dispatcher, Request
from server.pipeline.no_session import NO_SESSION
from server.pipeline.registry import Registry

API_PREFIXES = ("/v1", "/api/v1")
"""The same routes twice; the second prefix is for older clients."""
CALLER = "caller_id"
SELF = "me"
IDEMPOTENCY_HEADER = "Idempotency-Key"

PeerAddress = Callable[[web.Request], str]
_Reader = Callable[[str], object]


class Rest:
    """Serves the routes of all commands below each of `API_PREFIXES`.

    A request body may have `max_body_bytes` and must arrive within `body_timeout_s`.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        dispatcher: Dispatcher,
        authenticator: Authenticator,
        peer_address: PeerAddress,
        max_body_bytes: int,
        body_timeout_s: float,
    ) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
        self._authenticator = authenticator
        self._peer_address = peer_address
        self._max_body_bytes = max_body_bytes
        self._body_timeout_s = body_timeout_s

    def attach(self, app: web.Application) -> None:
        """Adds the routes; a fixed path has precedence over one with a placeholder in the same place."""
        routed = [(route, bound) for bound in self._registry.commands() for route in bound.command.routes]
        for route, bound in sorted(routed, key=lambda pair: (pair[0].path.count("{"), pair[0].path)):
            handler = self._handler(route, bound)
            methods = (route.method, "HEAD") if route.method == "GET" else (route.method,)
            for prefix, method in product(API_PREFIXES, methods):
                app.router.add_route(method, prefix + route.path, handler)
        for prefix in API_PREFIXES:
            app.router.add_route("*", prefix + "/{unknown:.*}", self._unknown)

    def _handler(self, route: Route, bound: BoundCommand) -> Callable[[web.Request], Any]:
        command = bound.command
        readers = _readers(command)

        async def handle(request: web.Request) -> web.Response:
            if not self._is_caller(request):
                error = CommandError(FORBIDDEN, "This path is its owner's.")
                return response(Answer(answer_error(error), error), route.status)
            size_bytes, payload = await self._payload(request, route, command, readers)
            answer = await self._dispatcher.call(
                Request(
                    namespace=command.namespace,
                    name=command.name,
                    payload=payload,
                    size_bytes=size_bytes,
                    credentials=bearer_token(request),
                    address=self._peer_address(request),
                    user_agent=request.headers.get("User-Agent"),
                    session=NO_SESSION,
                )
            )
            return response(answer, route.status)

        return handle

    def _is_caller(self, request: web.Request) -> bool:
        """False if the path names another user than the caller. Bad credentials pass: the dispatcher refuses them."""
        named = request.match_info.get(CALLER, SELF)
        if named == SELF:
            return True
        try:
            identity = self._authenticator.identify(bearer_token(request))
        except CommandError:
            return True
        return identity is None or named == str(identity.user_id)

    async def _payload(
        self, request: web.Request, route: Route, command: Command[Any, Any], readers: Mapping[str, _Reader]
    ) -> tuple[int, object | Unparseable]:
        """Size in bytes and content: the fields of path and body; for GET and DELETE, of path and query."""
        size_bytes = len(request.query_string) + len(request.path)
        given: object
        if route.method in ("GET", "DELETE"):
            if len(set(request.query)) != len(request.query):
                return size_bytes, Unparseable("a field is given twice")
            given = {name: readers.get(name, str)(text) for name, text in request.query.items()}
        else:
            try:
                async with asyncio.timeout(self._body_timeout_s):
                    body = await self._body(request)
            except (ConnectionError, web.RequestPayloadError):
                return size_bytes, Unparseable("the body cannot be read to its end")
            except TimeoutError:
                return size_bytes, Unparseable("the body did not come in time")
            size_bytes = len(body)
            if size_bytes > self._max_body_bytes:
                return size_bytes, Unparseable("the body is too large")
            if request.query_string:
                return size_bytes, Unparseable("what has a body takes nothing from the query")
            try:
                given = orjson.loads(body) if body else {}
            except orjson.JSONDecodeError as error:
                return size_bytes, Unparseable(f"not JSON: {error}")
        return size_bytes, _merged(given, request, route, command)

    async def _body(self, request: web.Request) -> bytes:
        """The body, cut off one byte after the limit: a body that is too large is recognised and not held in memory."""
        body = bytearray()
        while len(body) <= self._max_body_bytes:
            part = await request.content.read(self._max_body_bytes + 1 - len(body))
            if not part:
                break
            body += part
        return bytes(body)

    async def _unknown(self, request: web.Request) -> web.Response:
        methods: set[str] = set()
        for resource in request.app.router.resources():
            methods |= (await resource.resolve(request))[1]
        methods.discard(hdrs.METH_ANY)
        if not methods:
            error = CommandError(UNKNOWN_COMMAND, "There is no such route.")
            return response(Answer(answer_error(error), error), 200)
        allow = ", ".join(sorted(methods))
        error = CommandError(UNKNOWN_COMMAND, f"This route takes {allow}.")
        refusal = response(Answer(answer_error(error), error), 200)
        refusal.set_status(405)
        refusal.headers["Allow"] = allow
        return refusal


def _merged(given: object, request: web.Request, route: Route, command: Command[Any, Any]) -> object | Unparseable:
    if not isinstance(given, dict):
        return given
    for old, name in route.renamed.items():
        if old in given and name in given:
            return Unparseable(f"{old} and {name} are the same")
        if old in given:
            given[name] = given.pop(old)
    for name, value in request.match_info.items():
        if name == CALLER:
            continue
        if name in given:
            return Unparseable(f"{name} stands in the path already")
        given[name] = value
    key = request.headers.get(IDEMPOTENCY_HEADER)
    if key is not None and "client_id" in command.payload.model_fields and given.setdefault("client_id", key) != key:
        return Unparseable(f"{IDEMPOTENCY_HEADER} and client_id are not the same")
    return given


def _readers(command: Command[Any, Any]) -> Mapping[str, _Reader]:
    """For each field that is not text, how its value is read from the query."""
    readers: dict[str, _Reader] = {}
    for name, schema in command.payload.model_json_schema().get("properties", {}).items():
        kinds = {option.get("type") for option in schema.get("anyOf", [schema])}
        if "integer" in kinds:
            readers[name] = _read_integer
        elif "boolean" in kinds:
            readers[name] = _read_boolean
    return readers


def _read_integer(text: str) -> object:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 20 else text


def _read_boolean(text: str) -> object:
    return {"true": True, "false": False}.get(text, text)


def bearer_token(request: web.Request) -> str | None:
    """The token of the Authorization header; None without the header, empty when it has another scheme than Bearer."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


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
