"""Serves the documents of the API to everybody: `/types.d.ts` and the others of `Documents`."""

from __future__ import annotations

from functools import partial
from typing import Final

from aiohttp import hdrs, web

from server.documents.documents import Documents
from server.transports.answer_headers import RESOURCE_POLICY
from server.transports.lazy_document import LazyDocument

_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"
_HEADERS: Final = {
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
    hdrs.CACHE_CONTROL: "no-cache",  # kept, and asked for again: the next version of the server has other documents
    RESOURCE_POLICY: "cross-origin",
}


class ServedDocuments:
    """Answers with the documents, each made when the first client asks."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def attach(self, app: web.Application) -> None:
        for name in self._documents.names:
            content_type = _JSON if name.endswith(".json") else _TEXT
            served = LazyDocument(partial(self._documents.body, name), content_type, _HEADERS)
            app.router.add_get(f"/{name}", served.handle)
