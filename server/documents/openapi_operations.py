"""The operations of OpenAPI: what a route takes from path, query and body, and all that it may answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import Any, Final

from realtime.contract.declarations import Access, Command, Route
from realtime.contract.errors import FORBIDDEN, INVALID_PAYLOAD, TOO_LARGE, ErrorCode
from realtime.contract.rest import CALLER, FORM_TYPES, IDEMPOTENCY_HEADER, path_fields, takes_body
from realtime.contract.wire import ID_PATTERN
from server.documents.envelope import failure_with, success_with
from server.documents.openapi_next_requests import NextRequests, operation_id
from server.documents.sentences import REPEATS, listed, possible_errors, rate_sentence, size_sentence
from server.documents.wire_schemas import WireSchemas

_JSON: Final = "application/json"
_IDEMPOTENCY_KEY: Final = {
    "name": IDEMPOTENCY_HEADER,
    "in": "header",
    "description": "The same as `client_id`: a repeat with the same one is answered with what was created.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[!-~]*$"},
}
_URL_TOO_LONG: Final = 414
_NOT_ACCEPTABLE: Final = 406
_UNSUPPORTED_TYPE: Final = 415
_NULL: Final = {"type": "null"}
_RETRIES: Final = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
_HEADERS_OF_STATUS: Final[Mapping[int, dict[str, Any]]] = {
    401: {"WWW-Authenticate": {"$ref": "#/components/headers/WWW-Authenticate"}},
    429: _RETRIES,
    503: _RETRIES,
}

_Command = Command[Any, Any]


_OF_READS: Final = {
    "ETag": {"$ref": "#/components/headers/ETag"},
    "Link": {"$ref": "#/components/headers/Link"},
}
_NOT_MODIFIED: Final = {
    "description": "The client has the answer already: it named its `ETag` in `If-None-Match`.",
    "headers": {"ETag": {"$ref": "#/components/headers/ETag"}},
}


class Operations:
    """Describes the routes of commands. `responses` are the errors that they refer to, by the names there."""

    def __init__(self, schemas: WireSchemas, next_requests: NextRequests) -> None:
        self._schemas = schemas
        self._next_requests = next_requests
        self.responses: dict[str, Any] = {}

    def of_route(self, route: Route, command: _Command) -> dict[str, Any]:
        first = command.routes[0]
        operation: dict[str, Any] = {
            "operationId": operation_id(route, command),
            "summary": command.effect,
            "description": " ".join(_sentences(route, command)),
            "tags": [command.namespace.removeprefix("/")],
        }
        if _is_older(route, first):
            operation["deprecated"] = True
            operation["description"] += f" Newer clients use `{first.method} {first.path}`."
        operation["security"] = [{"token": []}] if command.access is Access.PERSON else [{}]
        payload = self._schemas.named(self._schemas.payload(command))[1]
        parameters = [] if takes_body(route) else _query(route, command, payload)
        if "client_id" in payload.get("properties", {}):
            parameters.append(_IDEMPOTENCY_KEY)
        if parameters:
            operation["parameters"] = parameters
        if takes_body(route) and (body := self._body(route, command, payload)):
            operation["requestBody"] = body
        operation["responses"] = {str(route.status): self._success(route, command), **self._failures(route, command)}
        if route.method == "GET":
            operation["responses"]["304"] = _NOT_MODIFIED
        return operation

    def _body(self, route: Route, command: _Command, payload: dict[str, Any]) -> dict[str, Any] | None:
        in_path = set(path_fields(route))
        fields = payload.get("properties", {}).keys() - in_path
        if not fields:
            return None
        ref = self._schemas.payload(command)
        rest = payload if in_path.isdisjoint(payload["properties"]) else without_fields(payload, in_path)
        schema = ref if rest is payload else rest
        example = {name: value for name, value in command.example.items() if name in fields}
        content: dict[str, Any] = {_JSON: {"schema": schema, "example": example}}
        if route.form_ignores is not None:
            content |= {form_type: {"schema": _form(route, payload)} for form_type in FORM_TYPES}
        return {"required": bool(rest.get("required") or rest.get("anyOf")), "content": content}

    def _success(self, route: Route, command: _Command) -> dict[str, Any]:
        ref = self._schemas.answer(command)
        answered = self._schemas.named(ref)[1]["properties"] if route.also_answers else {}
        beside = {name: answered[name] for name in route.also_answers}
        links = self._next_requests.of_route(route, command)
        return {
            "description": "It is done." if command.writes else "What was asked for.",
            **({"headers": _OF_READS} if route.method == "GET" else {}),
            **({"links": links} if links else {}),
            "content": {_JSON: {"schema": success_with(ref, **beside)}},
        }

    def _failures(self, route: Route, command: _Command) -> dict[str, Any]:
        by_status: dict[int, list[ErrorCode]] = defaultdict(list)
        refusals = (FORBIDDEN,) if CALLER in path_fields(route) else ()
        for error in dict.fromkeys((*possible_errors(command), *refusals)):
            by_status[error.status].append(error)
        if not takes_body(route):
            by_status[_URL_TOO_LONG] = [TOO_LARGE]
        by_status[_NOT_ACCEPTABLE] = [INVALID_PAYLOAD]
        if takes_body(route):
            by_status[_UNSUPPORTED_TYPE] = [INVALID_PAYLOAD]
        return {
            str(status): {"$ref": f"#/components/responses/{self._response(status, errors)}"}
            for status, errors in sorted(by_status.items())
        }

    def _response(self, status: int, errors: Sequence[ErrorCode]) -> str:
        """The name of the response with one of these errors."""
        name = "Or".join("".join(map(str.capitalize, error.code.split("_"))) for error in errors)
        if name not in self.responses:
            response: dict[str, Any] = {
                "description": " ".join(f"`{error.code}`: {error.message}" for error in errors),
                "content": {_JSON: {"schema": failure_with([error.code for error in errors])}},
            }
            if status in _HEADERS_OF_STATUS:
                response["headers"] = _HEADERS_OF_STATUS[status]
            self.responses[name] = response
        return name


def path_parameter(name: str, command: _Command, schemas: WireSchemas, *, called: str | None = None) -> dict[str, Any]:
    """`called`: the name of the field in the document, which is another where two paths differ in nothing else."""
    parameter: dict[str, Any] = {"name": called or name, "in": "path", "required": True}
    if name == CALLER and called not in (None, CALLER):
        parameter["description"] = "The caller's own id."
        parameter["schema"] = {"type": "string", "pattern": ID_PATTERN}
        return parameter
    if name == CALLER:
        parameter["description"] = "The caller's own id, or `me`."
        parameter["schema"] = {"type": "string"}
        parameter["example"] = "me"
        return parameter
    parameter["schema"] = _without_null(schemas.named(schemas.payload(command))[1]["properties"][name])
    if name in command.example:
        parameter["example"] = command.example[name]
    return parameter


def without_fields(payload: Mapping[str, Any], left_out: set[str]) -> dict[str, Any]:
    """The schema of an object without some of its fields, also in its rules over several."""
    schema = dict(payload)
    schema["properties"] = {name: one for name, one in payload["properties"].items() if name not in left_out}
    schema["required"] = [name for name in payload.get("required", ()) if name not in left_out]
    if not schema["required"]:
        del schema["required"]
    return schema


def excluded_by(given: Sequence[str], payload: Mapping[str, Any]) -> Set[str]:
    """The fields that may not be given beside these, by the rules of a payload over several fields."""
    nulls = [
        {name for name, value in option["properties"].items() if value == _NULL} for option in payload.get("anyOf", ())
    ]
    possible = [names for names in nulls if names.isdisjoint(given)]
    return set.intersection(*possible) if possible else set()


def _is_older(route: Route, first: Route) -> bool:
    """Whether a route is for older clients: one that finds a thing by another field of it is not."""
    return route is not first and {*path_fields(route)} <= {*path_fields(first), CALLER}


def _sentences(route: Route, command: _Command) -> Sequence[str]:
    told = [REPEATS[command.repeat], rate_sentence(command.rate), size_sentence(command)]
    old_names: dict[str, list[str]] = defaultdict(list)
    for old, name in route.renamed.items():
        old_names[name].append(old)
    told += [f"Older clients may say {listed(old)} for `{name}`." for name, old in old_names.items()]
    return told


def _query(route: Route, command: _Command, payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    required = payload.get("required", ())
    elsewhere = {*path_fields(route), *excluded_by(path_fields(route), payload)}
    found = []
    for name, schema in payload.get("properties", {}).items():
        if name in elsewhere:
            continue
        parameter: dict[str, Any] = {"name": name, "in": "query", "schema": _without_null(schema)}
        if name in required:
            parameter["required"] = True
        if name in command.example:
            parameter["example"] = command.example[name]
        found.append(parameter)
    return found


def _form(route: Route, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a form: those of the payload by the names that its clients use, and those that mean nothing."""
    old_names = {name: old for old, name in route.renamed.items()}
    schema = dict(payload)
    schema["properties"] = {old_names.get(name, name): one for name, one in payload["properties"].items()}
    schema["required"] = [old_names.get(name, name) for name in payload.get("required", ())]
    schema["properties"] |= {name: {"type": "string", "description": "Ignored."} for name in route.form_ignores or ()}
    return schema


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Of a value that stands in an address, where there is no null."""
    options = [one for one in schema.get("anyOf", ()) if one != _NULL]
    if len(options) == 1:
        return {**{name: one for name, one in schema.items() if name != "anyOf"}, **options[0]}
    return dict(schema)
