"""The plain page at `/`: log in, post, like and chat in a browser, without a build step."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).resolve().parents[2] / "web" / "plain"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def attach_page(app: web.Application) -> None:
    """Serves the page and its files; the browser refuses scripts of other hosts."""
    parts = {path.name: path for path in FOLDER.iterdir()}

    async def index(request: web.Request) -> web.FileResponse:
        return web.FileResponse(parts["index.html"], headers=HEADERS)

    async def part(request: web.Request) -> web.FileResponse:
        path = parts.get(request.match_info["name"])
        if path is None:
            raise web.HTTPNotFound
        return web.FileResponse(path, headers=HEADERS)

    app.router.add_get("/", index)
    app.router.add_get("/plain/{name}", part)
