"""Reads the payload of a command from an HTTP request: the fields of its path, query and body make one object."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import orjson
from aiohttp import web
from pydantic import BaseModel

from realtime.contract.declarations import Command, Route
from realtime.contract.rest import CALLER, FORM_TYPES, IDEMPOTENCY_HEADER, caller_fields, takes_body
from realtime.contract.unparseable import Unparseable
from server.transports.forms import read_form

_USER: Final = "user_id"
_NO_QUERY: Final = "what has a body takes nothing from the query"
_Fields = dict[str, Any]
_Reader = Callable[[str], object]


class ReadRequest(NamedTuple):
    """`caller_ids` is what the request says about who calls."""

    size_bytes: int
    payload: object | Unparseable
    caller_ids: Sequence[object]


class PayloadReader:
    """Reads the requests of one route. A body may have `max_body_bytes` and must arrive within `body_timeout_s`."""

    def __init__(self, route: Route, command: Command[Any, Any], *, max_body_bytes: int, body_timeout_s: float) -> None:
        self._route = route
        self._has_client_id = "client_id" in command.payload.model_fields
        self._takes_body = takes_body(route)
        self._caller_fields = caller_fields(route, command)
        # Beside the old name of another user, `user_id` says who calls.
        self._names_beside_caller = {old for old, name in route.renamed.items() if name == _USER}
        payload: type[BaseModel] = command.payload
        self._readers = _readers(payload)
        self._max_body_bytes = max_body_bytes
        self._body_timeout_s = body_timeout_s

    async def read(self, request: web.Request) -> ReadRequest:
        caller_ids: list[object] = [request.match_info[CALLER]] if CALLER in request.match_info else []
        size_bytes = len(request.query_string) + len(request.path)
        try:
            given: object = self._query(request)
            if self._takes_body or (self._route.method == "DELETE" and request.body_exists):
                body = await self._body(request)
                size_bytes = len(body)
                given = _joined(given, self._content(request, body))
            if isinstance(given, dict):
                if _USER in given and self._names_beside_caller & given.keys():
                    caller_ids.append(given.pop(_USER))
                elif self._takes_body and _USER in request.query and self._names_beside_caller:
                    raise ValueError(_NO_QUERY)
                caller_ids += [given.pop(name) for name in self._caller_fields if name in given]
                given = self._payload(request, given)
        except ValueError as error:
            given = Unparseable(str(error))
        return ReadRequest(size_bytes, given, caller_ids)

    def _query(self, request: web.Request) -> _Fields:
        if len(set(request.query)) != len(request.query):
            raise ValueError("a field is given twice")
        allowed = self._caller_fields | {_USER} if self._names_beside_caller else self._caller_fields
        if self._takes_body and not allowed.issuperset(request.query):
            raise ValueError(_NO_QUERY)
        return {
            name: self._readers.get(self._route.renamed.get(name, name), str)(text)
            for name, text in request.query.items()
        }

    async def _body(self, request: web.Request) -> bytes:
        """The body, cut off one byte after the limit: a body that is too large is recognised and not held in memory."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_timeout_s):
                while part := await request.content.read(self._max_body_bytes + 1 - len(body)):
                    body += part
        except (ConnectionError, web.RequestPayloadError):
            raise ValueError("the body cannot be read to its end") from None
        except TimeoutError:
            raise ValueError("the body did not come in time") from None
        return bytes(body)

    def _content(self, request: web.Request, body: bytes) -> object:
        if len(body) > self._max_body_bytes:
            raise ValueError("the body is too large")
        if self._route.form_ignores is not None and request.content_type in FORM_TYPES:
            form = read_form(request.headers["Content-Type"], body)
            return {name: text for name, text in form.items() if name not in self._route.form_ignores}
        try:
            return orjson.loads(body) if body else {}
        except orjson.JSONDecodeError as error:
            raise ValueError(f"not JSON: {error}") from None

    def _payload(self, request: web.Request, given: _Fields) -> _Fields:
        """The fields by their present names, with those of the path."""
        for old, name in self._route.renamed.items():
            if old in given and name in given:
                raise ValueError(f"{old} and {name} are the same")
            if old in given:
                given[name] = given.pop(old)
        for name, value in request.match_info.items():
            if name != CALLER:
                if name in given:
                    raise ValueError(f"{name} stands in the path already")
                given[name] = value
        key = request.headers.get(IDEMPOTENCY_HEADER)
        if key is not None and self._has_client_id and given.setdefault("client_id", key) != key:
            raise ValueError(f"{IDEMPOTENCY_HEADER} and client_id are not the same")
        return given


def _joined(query: Any, body: object) -> object:
    if not isinstance(body, dict):
        return body
    if twice := query.keys() & body.keys():
        raise ValueError(f"{min(twice)} is given twice")
    return {**query, **body}


@cache
def _readers(payload: type[BaseModel]) -> Mapping[str, _Reader]:
    """For each field that is not text, how its value is read from the query."""
    readers: dict[str, _Reader] = {}
    for name, schema in payload.model_json_schema().get("properties", {}).items():
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
