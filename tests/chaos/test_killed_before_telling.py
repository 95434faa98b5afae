"""A node is killed after it has committed a message and before it has published it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.chaos.truth import Connection
from tests.handlers.chat.talk import open_conversation, send
from tests.journeys.servers import ServerProcess, settings_of_processes
from tests.kit.server import TOKEN_SECRETS, RunningServer

WITHIN_S = 20.0
TEXT, CLIENT_ID = "Does anybody hear me?", "m1"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _commits_unanswered(database: Connection) -> AsyncIterator[None]:
    """During the block synchronous commits wait, when they are done, for a standby that does not exist."""
    await database.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    try:
        await database.execute("SELECT pg_reload_conf()")
        async with asyncio.timeout(WITHIN_S):
            while await database.fetchval("SHOW synchronous_standby_names") != "nobody":
                await asyncio.sleep(0.02)
        yield
    finally:
        await database.execute("ALTER SYSTEM RESET synchronous_standby_names")
        await database.execute("SELECT pg_reload_conf()")


async def _waits_for_standby(database: Connection) -> bool:
    found = await database.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'SyncRep'"
    )
    return bool(found)


async def test_a_retry_on_another_node_lets_the_others_know(
    server: RunningServer, database_url: str, redis_url: str, database: Connection, tmp_path: Path
) -> None:
    ada, bea = await server.people("untold_ada", "untold_bea")
    conversation_id = await open_conversation(ada, bea)
    device = await bea.device(namespaces=["/chat"])
    # Only commits of this node wait; those of all others in these tests do not.
    waiting_url = f"{database_url}{'&' if '?' in database_url else '?'}synchronous_commit=on"
    environment = settings_of_processes(waiting_url, redis_url, tmp_path) | {"TOKEN_SECRETS": TOKEN_SECRETS}
    victim = ServerProcess("serve", environment, tmp_path / "victim.log")
    try:
        await victim.started()
        async with _commits_unanswered(database):
            sending = asyncio.create_task(_post_message(server, victim.url, conversation_id, ada.access_token))
            async with asyncio.timeout(WITHIN_S):
                while not await _waits_for_standby(database):
                    await asyncio.sleep(0.02)
            victim.kill()
            with pytest.raises(aiohttp.ClientError):
                await sending
    finally:
        victim.kill()
    await device.expect_silence("message:created")
    retried = await send(ada, conversation_id, TEXT, client_id=CLIENT_ID)
    assert retried["seq"] == 1, "it was written twice"
    told = {"conversation_id": conversation_id, "rev": 1, "last_seq": 1}
    assert await device.expect_push("conversation:position") == told


async def _post_message(server: RunningServer, url: str, conversation_id: str, token: str) -> None:
    address = f"{url}/v1/conversations/{conversation_id}/messages"
    body = {"text": TEXT, "client_id": CLIENT_ID}
    async with server.http.post(address, json=body, headers={"Authorization": f"Bearer {token}"}) as response:
        await response.read()
