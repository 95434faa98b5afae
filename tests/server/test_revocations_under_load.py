"""That a login session has ended is known in time while all other connections to PostgreSQL are in use."""

from __future__ import annotations

import asyncio

import asyncpg

from tests.kit.server import running_server, settings_for_tests
from tests.kit.services import Valkey, execute

POOL_MAX = 2
HOLDS_S = 2.0


async def test_no_command_of_an_ended_login_is_accepted_where_others_hold_all_connections(
    database_url: str, valkey: Valkey
) -> None:
    settings = settings_for_tests(
        database_url,
        valkey.url,
        pool_min=POOL_MAX,
        pool_max=POOL_MAX,
        acquire_timeout_s=4.5,
        statement_timeout_ms=9_000,
    )
    async with running_server(settings, work=False) as server:
        ended, busy = await server.people("ended", "busy")
        await asyncio.to_thread(valkey.stop)
        holder = await asyncpg.connect(database_url)
        try:
            async with holder.transaction():
                await holder.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", int(busy.id))
                waiting = [
                    asyncio.create_task(busy.rest("PATCH", "/users/me", {"bio": str(number)}))
                    for number in range(2 * POOL_MAX)
                ]
                await asyncio.sleep(0.2)
                # As another node does it, which cannot tell this one of it.
                await execute(database_url, f"UPDATE login_sessions SET revoked_at = now() WHERE user_id = {ended.id}")
                await asyncio.sleep(HOLDS_S)
                late = asyncio.create_task(ended.rest("PATCH", "/users/me", {"bio": "too late"}))
                await asyncio.sleep(0.2)
            statuses = [status for status, _ in await asyncio.gather(*waiting)]
            assert (await late)[0] == 401
            assert statuses == [200] * len(waiting)
        finally:
            await holder.close()
