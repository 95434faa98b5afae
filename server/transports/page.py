"""The pages: the plain one at `/` and the reference at `/docs`, with their scripts and styles from `web/`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

from server.pipeline.registry import Registry
from server.transports.lazy_document import LazyDocument

WEB: Final = Path(__file__).resolve().parents[2] / "web"
FOLDERS: Final = ("plain", "docs", "client")
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Cross-Origin-Opener-Policy": "same-origin",
    hdrs.CACHE_CONTROL: "no-cache",
}


class Pages:
    """Serves the pages and their files; the browser refuses scripts of other hosts."""

    def __init__(self, registry: Registry, *, demo_login: str) -> None:
        self._reference = LazyDocument(partial(_page_html, registry), "text/html; charset=utf-8", HEADERS)
        self._console = LazyDocument(partial(_console_json, registry, demo_login), "application/json", HEADERS)
        self._files = {
            path.relative_to(WEB).as_posix(): path
            for folder in FOLDERS
            for path in (WEB / folder).rglob("*")
            if path.is_file()
        }

    def attach(self, app: web.Application) -> None:
        app.router.add_get("/", self._plain)
        app.router.add_get("/docs", self._reference.handle)
        app.router.add_get("/docs/console.json", self._console.handle)
        for other in ("/docs/", "/redoc"):
            app.router.add_get(other, _to_the_reference)
        for folder in FOLDERS:
            app.router.add_get(f"/{{path:{folder}/.*}}", self._file)

    async def _plain(self, request: web.Request) -> web.FileResponse:
        return web.FileResponse(WEB / "plain" / "index.html", headers=HEADERS)

    async def _file(self, request: web.Request) -> web.FileResponse:
        path = self._files.get(request.match_info["path"])
        if path is None:
            raise web.HTTPNotFound
        return web.FileResponse(path, headers=HEADERS)


def _page_html(registry: Registry) -> bytes:
    from server.documents.page.render import page_html  # not at the start: it imports the template engine

    return page_html(registry)


def _console_json(registry: Registry, demo_login: str) -> bytes:
    from server.documents.page.console import console_json

    return console_json(registry, demo_login)


async def _to_the_reference(request: web.Request) -> web.Response:
    raise web.HTTPFound("/docs")
