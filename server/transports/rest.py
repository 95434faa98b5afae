"""The REST API: the routes of each command, from its declaration.

Payload, answer and errors are those of the socket.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import orjson
from aiohttp import hdrs, web

from handlers.feature import BoundCommand
from realtime.contract.declarations import Route
from realtime.contract.errors import UNKNOWN_COMMAND, CommandError
from realtime.contract.rest import API_PREFIXES
from server.pipeline.dispatch import Answer, Dispatcher, Request
from server.pipeline.no_session import NO_SESSION
from server.pipeline.registry import Registry
from server.transports.negotiation import JSON, not_acceptable, sends_readable_body, takes, unsupported_type
from server.transports.rest_answers import RestAnswers, refusal
from server.transports.rest_payload import PayloadReader

PeerAddress = Callable[[web.Request], str]


class Rest:
    """Serves the routes of all commands below each of `API_PREFIXES`.

    A request body may have `max_body_bytes` and must arrive within `body_timeout_s`.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        dispatcher: Dispatcher,
        peer_address: PeerAddress,
        max_body_bytes: int,
        body_timeout_s: float,
    ) -> None:
        self._registry = registry
        self._dispatcher = dispatcher
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
        reader = PayloadReader(route, command, max_body_bytes=self._max_body_bytes, body_timeout_s=self._body_timeout_s)
        answers, takes_forms = RestAnswers(route, command), route.form_ignores is not None

        async def handle(request: web.Request) -> web.Response:
            if not takes(request, JSON):
                return refusal(not_acceptable(JSON), status=406)
            if not sends_readable_body(request, takes_forms=takes_forms):
                return refusal(unsupported_type(), status=415)
            read = await reader.read(request)
            answer = await self._dispatcher.call(
                Request(
                    namespace=command.namespace,
                    name=command.name,
                    payload=read.payload,
                    size_bytes=read.size_bytes,
                    credentials=bearer_token(request),
                    address=self._peer_address(request),
                    user_agent=request.headers.get("User-Agent"),
                    session=NO_SESSION,
                    caller_ids=read.caller_ids,
                )
            )
            if route.also_answers and answer.error is None:
                answer = _answered_also(answer, route.also_answers)
            return await answers.response(request, answer)

        return handle

    async def _unknown(self, request: web.Request) -> web.Response:
        methods: set[str] = set()
        for resource in request.app.router.resources():
            methods |= (await resource.resolve(request))[1]
        methods.discard(hdrs.METH_ANY)
        if not methods:
            return refusal(CommandError(UNKNOWN_COMMAND, "There is no such route."), status=404)
        allow = ", ".join(sorted({*methods, hdrs.METH_OPTIONS}))
        if request.method == hdrs.METH_OPTIONS:
            return web.Response(status=204, headers={hdrs.ALLOW: allow})
        refused = refusal(CommandError(UNKNOWN_COMMAND, f"This route takes {allow}."), status=405)
        refused.headers[hdrs.ALLOW] = allow
        return refused


def _answered_also(answer: Answer, fields: Sequence[str]) -> Answer:
    """The answer with fields of its data also beside the data."""
    body = orjson.loads(answer.body)
    return answer._replace(body=orjson.dumps({**body, **{name: body["data"][name] for name in fields}}))


def bearer_token(request: web.Request) -> str | None:
    """The token of the Authorization header; None without the header, empty when it has another scheme than Bearer."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
