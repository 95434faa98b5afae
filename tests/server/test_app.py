"""What the composition root alone decides: which setting goes where."""

from __future__ import annotations

from realtime.redis_client import open_redis
from tests.kit.server import running_server, settings_for_tests


async def test_home_feeds_leave_redis_after_the_days_that_are_set(database_url: str, redis_url: str) -> None:
    async with running_server(settings_for_tests(database_url, redis_url, feed_days_limit=3)) as server:
        person = await server.person("app.days")
        await person.do("/feed", "feed:page")
        redis = open_redis(redis_url, client_name="test")
        try:
            (key,) = await redis.keys("feed:*")
            assert 3 * 86_400 - 60 < await redis.ttl(key) <= 3 * 86_400
        finally:
            await redis.aclose()
