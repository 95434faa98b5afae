"""The documents of the API: each is made from the declarations when it is first asked for, once in a process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import orjson

from server.documents.asyncapi import asyncapi
from server.documents.openapi import openapi
from server.documents.typescript import type_declarations
from server.pipeline.registry import Registry


def _json_of(make: Callable[[Registry], dict[str, Any]], registry: Registry) -> str:
    """In lines, so that a change of the API can be read in a diff."""
    return orjson.dumps(make(registry), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


_MAKERS: Final[Mapping[str, Callable[[Registry], str]]] = {
    "asyncapi.json": partial(_json_of, asyncapi),
    "openapi.json": partial(_json_of, openapi),
    "types.d.ts": type_declarations,
}


class Documents:
    """The documents of a registry, by their names. Any thread may use it."""

    names: Sequence[str] = tuple(_MAKERS)

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._bodies: dict[str, bytes] = {}

    def body(self, name: str) -> bytes:
        """A document as it is served. The first call for a name takes a moment: not on a thread that serves clients."""
        with self._lock:
            if name not in self._bodies:
                self._bodies[name] = _MAKERS[name](self._registry).encode()
            return self._bodies[name]
