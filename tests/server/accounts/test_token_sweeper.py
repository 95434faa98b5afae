import asyncio
import datetime

import asyncpg

from server.accounts.token_sweeper import TokenSweeper
from sql.database import load_queries
from sql.pool import close_pool
from sql.unit import Units
from tests.kit.clock import ManualClock
from tests.kit.pool import opened_pool

PATIENCE_S = 20


async def test_tokens_that_have_run_out_are_forgotten_and_others_kept(database_url: str) -> None:
    clock = ManualClock()
    pool = await opened_pool(database_url)
    watching = await asyncpg.connect(database_url)
    units = Units(pool, load_queries(), acquire_timeout_s=5)
    sweeper = TokenSweeper(units, clock, every_s=0.01)
    try:
        async with units.write() as db:
            user_id = await db.accounts.insert_user(
                username="eve",
                username_folded="eve",
                email=None,
                email_folded=None,
                phone="+1",
                password_hash="!",
                display_name="Eve",
            )
            session_id = await db.accounts.insert_session(user_id=user_id, user_agent="", address="")
            for token_hash, life_s in ((b"short", 60), (b"long", 3_600)):
                await db.accounts.insert_refresh_token(
                    token_hash=token_hash,
                    session_id=session_id,
                    issued_at=clock.now(),
                    expires_at=clock.now() + datetime.timedelta(seconds=life_s),
                )
        sweeper.start()
        clock.advance(61)
        async with asyncio.timeout(PATIENCE_S):
            while await watching.fetchval("SELECT count(*) FROM refresh_tokens") == 2:
                await asyncio.sleep(0.01)
        assert await watching.fetchval("SELECT token_hash FROM refresh_tokens") == b"long"
    finally:
        await sweeper.stop()
        await watching.close()
        await close_pool(pool, timeout_s=5)
