"""What is to go goes at once, however much of it has come together: a table never grows faster than it is swept."""

from __future__ import annotations

import asyncio

import asyncpg

from tests.kit.server import running_server, settings_for_tests
from tests.kit.services import execute

MORE_THAN_A_BATCH = 12_000
WITHIN_S = 4
"""Less than the time between two sweeps."""


async def test_all_expired_tokens_go_in_one_sweep(database_url: str, redis_url: str) -> None:
    await execute(
        database_url,
        "INSERT INTO users (id, username, username_folded, phone, password_hash)"
        " VALUES (1, 'swept', 'swept', '+1', '')",
        "INSERT INTO login_sessions (id, user_id) VALUES (1, 1)",
        "INSERT INTO refresh_tokens (token_hash, session_id, expires_at)"
        f" SELECT int4send(n), 1, now() - interval '1 day' FROM generate_series(1, {MORE_THAN_A_BATCH}) AS n",
    )
    async with running_server(settings_for_tests(database_url, redis_url)):
        connection = await asyncpg.connect(database_url)
        try:
            async with asyncio.timeout(WITHIN_S):
                while await connection.fetchval("SELECT count(*) FROM refresh_tokens"):
                    await asyncio.sleep(0.05)
        finally:
            await connection.close()
