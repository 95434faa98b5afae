"""The endpoints of operators and load balancers, on a real port."""

from __future__ import annotations

import asyncio
import tomllib
from typing import Any

import asyncpg

from server.config import CHECKOUT
from server.version import VERSION
from tests.kit.server import RunningServer, running_server, settings_for_tests
from tests.kit.services import Valkey
from tests.server.draining import draining

WAIT_S = 20.0


async def get(server: RunningServer, path: str) -> tuple[int, dict[str, Any]]:
    async with server.http.get(server.url + path) as response:
        return response.status, await response.json()


async def until_ready_is(server: RunningServer, status: int) -> dict[str, Any]:
    """The checks once `/ready` answers with this status."""
    async with asyncio.timeout(WAIT_S):
        while True:
            answered, told = await get(server, "/ready")
            if answered == status:
                checks: dict[str, Any] = told["checks"]
                return checks
            await asyncio.sleep(0.05)


def test_the_version_shown_is_that_of_the_package() -> None:
    package = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    assert package["project"]["version"] == VERSION


async def test_a_server_that_started_is_alive_and_ready(server: RunningServer) -> None:
    assert await get(server, "/health") == (200, {"status": "ok", "version": VERSION})
    status, told = await get(server, "/ready")
    assert (status, told["ready"], set(told["checks"].values())) == (200, True, {"ok"})


async def test_a_server_without_redis_is_alive_but_not_ready_until_it_is_back(
    database_url: str, valkey: Valkey
) -> None:
    async with running_server(settings_for_tests(database_url, valkey.url)) as server:
        await asyncio.to_thread(valkey.stop)
        checks = await until_ready_is(server, 503)
        assert "Redis" in checks["backplane"]
        assert (checks["database"], checks["traffic"]) == ("ok", "ok")
        assert (await get(server, "/health"))[0] == 200
        await asyncio.to_thread(valkey.start)
        assert set((await until_ready_is(server, 200)).values()) == {"ok"}


async def test_a_server_without_postgresql_is_alive_but_not_ready_until_it_is_back(
    postgres_admin_url: str, database_url: str, redis_url: str
) -> None:
    name = database_url.split("?")[0].rsplit("/", 1)[1]
    admin = await asyncpg.connect(postgres_admin_url)
    try:
        async with running_server(settings_for_tests(database_url, redis_url), work=False) as server:
            await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            try:
                await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
                assert "PostgreSQL" in (await until_ready_is(server, 503))["database"]
                assert (await get(server, "/health"))[0] == 200
            finally:
                await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            await until_ready_is(server, 200)
    finally:
        await admin.close()


async def test_a_server_that_drains_is_alive_but_not_ready(server: RunningServer) -> None:
    async with draining(server):
        status, told = await get(server, "/ready")
        assert (status, told["ready"], told["checks"]["traffic"]) == (503, False, "draining")
        assert (await get(server, "/health"))[0] == 200
