"""The pages and their files, on a real port."""

from __future__ import annotations

import asyncio
import re
from html.parser import HTMLParser

import pytest

from server.transports.page import FOLDERS, WEB
from tests.kit.server import RunningServer

ELSEWHERE = [
    "/plain/nothing.js",
    "/plain/",
    "/plain/../../pyproject.toml",
    "/plain/..%2f..%2fpyproject.toml",
    "/plain/%2e%2e%2f%2e%2e%2fpyproject.toml",
    "/plain/..%5c..%5cpyproject.toml",
    "/plain//etc/passwd",
    "/plain/%2fetc%2fpasswd",
    "/plain/app.js%00.css",
    "/plain/./app.js/..",
    "/docs/nothing.js",
    "/docs/../pyproject.toml",
    "/docs/..%2f..%2fpyproject.toml",
]


class Loaded(HTMLParser):
    """What a page loads, and what a strict policy would not run."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        loaded = values.get("src") or (values.get("href") if tag == "link" else None)
        if loaded is not None and not loaded.startswith("data:"):
            self.parts.append(loaded)
        elif tag in ("script", "style"):
            self.inline.append(tag)
        self.inline += [name for name in values if name == "style" or name.startswith("on")]


async def raw_get(server: RunningServer, target: str) -> tuple[int, bytes]:
    """A request for a target that no client library would leave as it is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.node.port)
    try:
        writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        return int(head.split()[1]), body
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_the_page_loads_only_parts_that_are_served_and_runs_under_its_policy(
    server: RunningServer, path: str
) -> None:
    async with server.http.get(server.url + path) as response:
        assert (response.status, response.content_type) == (200, "text/html")
        parts = [part.split() for part in response.headers["Content-Security-Policy"].split(";")]
        policy = {name: values for name, *values in parts}
        page = Loaded()
        page.feed(await response.text())
    assert policy["default-src"] == ["'self'"]
    assert "script-src" not in policy, "scripts fall under default-src: of this host, and none inline"
    assert policy["frame-ancestors"] == ["'none'"]
    assert page.inline == []
    assert page.parts
    for part in page.parts:
        async with server.http.get(server.url + part) as response:
            assert response.status == 200, part


def test_the_page_leaves_limits_of_characters_to_the_server() -> None:
    assert "maxlength" not in (WEB / "plain" / "index.html").read_text(), (
        "it counts units of UTF-16: half as many emoji"
    )


async def test_other_names_lead_to_the_reference(server: RunningServer) -> None:
    for path in ("/docs/", "/redoc"):
        async with server.http.get(server.url + path, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (302, "/docs")


async def test_every_part_is_served_with_its_type_and_may_not_be_sniffed(server: RunningServer) -> None:
    kinds = {".js": "javascript", ".css": "css", ".html": "html"}  # application/ or text/, as the system has it
    for path in (path for folder in FOLDERS for path in (WEB / folder).rglob("*.*")):
        url = f"{server.url}/{path.relative_to(WEB)}"
        async with server.http.get(url) as response:
            assert response.status == 200
            assert await response.read() == path.read_bytes()
            assert response.content_type.endswith(kinds[path.suffix])
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "Content-Security-Policy" in response.headers
            etag = response.headers["ETag"]
        async with server.http.get(url, headers={"If-None-Match": etag}) as response:
            assert response.status == 304


async def test_nothing_else_is_served(server: RunningServer) -> None:
    for target in ELSEWHERE:
        status, body = await raw_get(server, target)
        assert status == 404, target
        assert not re.search(rb"\[project\]|root:", body)
