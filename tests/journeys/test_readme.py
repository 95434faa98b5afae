"""The clients in the README work as it says; only the port is replaced."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from server.dev.demo_network import DEMO_USERNAME
from server.dev.seed import DEMO_PASSWORD
from tests.house.checkout import CHECKOUT
from tests.journeys.javascript import FOLDER as JAVASCRIPT_FOLDER
from tests.journeys.javascript import node_with_packages
from tests.journeys.servers import ServerProcess, settings_of_processes

HEADING = "## A client in ten lines"
README_URL = "http://localhost:8000"
LINES_MAX = 10


def snippet(language: str) -> str:
    section = (CHECKOUT / "README.md").read_text().partition(f"\n{HEADING}\n")[2].partition("\n## ")[0]
    (code,) = re.findall(rf"^```{language}\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    return str(code)


@pytest_asyncio.fixture
async def url(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a server with the demo network."""
    process = ServerProcess("up", settings_of_processes(database_url, redis_url, tmp_path / "data"), tmp_path / "log")
    try:
        await process.started()
        yield process.url
        assert await process.stop() == []
    finally:
        process.kill()


async def rest(http: aiohttp.ClientSession, method: str, path: str, token: str = "", **payload: str) -> dict[str, Any]:
    """The data of a call that must succeed."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with http.request(method, f"/v1{path}", headers=headers, json=payload or None) as response:
        answer = await response.json()
        assert answer["ok"], answer
        data: dict[str, Any] = answer["data"]
        return data


async def publish_to_the_demo(http: aiohttp.ClientSession, text: str) -> None:
    """Posts as somebody whom the demo account follows."""
    demo = await rest(http, "POST", "/auth/login", login=DEMO_USERNAME, password=DEMO_PASSWORD)
    following = await rest(http, "GET", f"/users/{demo['user']['id']}/following", demo["access_token"])
    login = following["items"][0]["username"]
    author = await rest(http, "POST", "/auth/login", login=login, password=DEMO_PASSWORD)
    await rest(http, "POST", "/posts", author["access_token"], text=text)


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_the_client_of_the_readme_runs(language: str, url: str) -> None:
    code = snippet(language)
    assert len(code.splitlines()) <= LINES_MAX and README_URL in code
    command = {"python": [sys.executable, "-u", "-"], "javascript": [node_with_packages(), "--input-type=module", "-"]}
    client = await asyncio.create_subprocess_exec(
        *command[language],
        cwd=JAVASCRIPT_FOLDER,  # where Node finds its packages
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert client.stdin is not None and client.stdout is not None
    try:
        client.stdin.write(code.replace(README_URL, url).encode())
        client.stdin.close()
        newest = (await client.stdout.readline()).decode()
        assert newest.startswith("newest: ") and len(newest) > 10, newest
        async with aiohttp.ClientSession(url) as http:
            await publish_to_the_demo(http, f"Hello to {language}")
        assert (await client.stdout.readline()).decode() == f"new: Hello to {language}\n"
        if language == "python":
            assert (await client.stdout.read(), await client.wait()) == (b"", 0)
    finally:
        if client.returncode is None:
            client.kill()
        await client.wait()
