"""How to call a command, as code to copy: curl, JavaScript and Python."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from realtime.contract.declarations import Access, Command, Route
from realtime.contract.rest import PLACEHOLDER, path_fields, takes_body

SERVER = "http://localhost:8000"
"""Where `./run` serves; the page's script puts its own address in its place."""


@dataclass(frozen=True, slots=True)
class CodeSample:
    language: str
    code: str


def code_samples(command: Command[Any, Any]) -> list[CodeSample]:
    curl = [CodeSample("curl", _curl(command, route)) for route in _callable_routes(command)[:1]]
    return [*curl, CodeSample("JavaScript", _javascript(command)), CodeSample("Python", _python(command))]


def _callable_routes(command: Command[Any, Any]) -> Sequence[Route]:
    """The routes whose path the example fills in."""
    known = command.example.keys() | {"caller_id"}
    return [route for route in command.routes if known.issuperset(path_fields(route))]


def _curl(command: Command[Any, Any], route: Route) -> str:
    rest = dict(command.example)
    path = PLACEHOLDER.sub(lambda match: str(rest.pop(match[1], "me")), route.path)
    in_body = takes_body(route)
    query = "" if in_body or not rest else "?" + urlencode({name: _text(value) for name, value in rest.items()})
    parts = ["curl" if route.method == "GET" else f"curl -X {route.method}", shlex.quote(f"{SERVER}/v1{path}{query}")]
    if command.access is Access.PERSON:
        parts.append('-H "Authorization: Bearer $TOKEN"')
    if in_body and rest:
        parts += ["-H 'Content-Type: application/json'", "-d " + shlex.quote(json.dumps(rest, ensure_ascii=False))]
    return " \\\n  ".join(parts)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _javascript(command: Command[Any, Any]) -> str:
    auth = ", { auth: { token } }" if command.access is Access.PERSON else ""
    payload = "".join(_literal(dict(command.example), _JAVASCRIPT))
    return (
        'import { io } from "socket.io-client";\n\n'
        f'const socket = io("{SERVER}{command.namespace}"{auth});\n'
        f'const answer = await socket.emitWithAck("{command.name}", {payload});\n'
        "if (!answer.ok) throw new Error(answer.error.message);\n"
        "console.log(answer.data);"
    )


def _python(command: Command[Any, Any]) -> str:
    auth = ', auth={"token": token}' if command.access is Access.PERSON else ""
    payload = "".join(_literal(dict(command.example), _PYTHON))
    return (
        "import socketio\n\n"
        "with socketio.SimpleClient() as socket:\n"
        f'    socket.connect("{SERVER}", namespace="{command.namespace}"{auth})\n'
        f'    answer = socket.call("{command.name}", {payload})\n'
        '    print(answer["data"] if answer["ok"] else answer["error"])'
    )


@dataclass(frozen=True, slots=True)
class _Notation:
    words: Mapping[object, str]
    quoted_keys: bool
    padding: str


_JAVASCRIPT = _Notation({True: "true", False: "false", None: "null"}, quoted_keys=False, padding=" ")
_PYTHON = _Notation({True: "True", False: "False", None: "None"}, quoted_keys=True, padding="")


def _literal(value: object, notation: _Notation) -> Iterator[str]:
    if isinstance(value, Mapping):
        pairs = [f"{_key(name, notation)}: {''.join(_literal(part, notation))}" for name, part in value.items()]
        yield f"{{{notation.padding}{', '.join(pairs)}{notation.padding}}}" if pairs else "{}"
    elif isinstance(value, list | tuple):
        yield f"[{', '.join(''.join(_literal(part, notation)) for part in value)}]"
    elif isinstance(value, bool) or value is None:
        yield notation.words[value]
    else:
        yield json.dumps(value, ensure_ascii=False)


def _key(name: str, notation: _Notation) -> str:
    return name if not notation.quoted_keys and name.isidentifier() else json.dumps(name)
