"""The cost of a push into packed lists and of a read: `python -m loadtest.micro.packed_lists redis://localhost`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

from redis.asyncio import Redis

from realtime.feeds.packed_lists import BUCKETS, PackedLists
from realtime.redis.client import open_redis

PREFIX = "micro"
OWNERS = 1_000
IDS = list(range(2**62 + 800, 2**62, -1))
PUSHES = 300
PAGE_IDS = 26


async def build(lists: PackedLists, owner_ids: Sequence[int]) -> None:
    for owner_id in owner_ids:
        token = await lists.begin_rebuild(owner_id)
        if token is not None:
            await lists.finish_rebuild(owner_id, token, IDS, IDS[-1] - 1)


async def server_cpu_s(redis: Redis) -> float:
    info = await redis.info("cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


async def measure_push(redis: Redis, name: str, owner_ids: Sequence[int]) -> None:
    lists = PackedLists(redis, prefix=PREFIX)
    await build(lists, owner_ids)
    own_s, server_s, wall_s = time.process_time(), await server_cpu_s(redis), time.perf_counter()
    for number in range(PUSHES):
        await lists.push(owner_ids, 2**62 + 1_000 + number)
    count = PUSHES * len(owner_ids)
    print(
        f"push, {name}: {(time.perf_counter() - wall_s) / count * 1e6:.2f} us a list"
        f" (server CPU {(await server_cpu_s(redis) - server_s) / count * 1e6:.2f},"
        f" own CPU {(time.process_time() - own_s) / count * 1e6:.2f})"
    )
    await lists.forget(owner_ids)
    await lists.stop()


async def measure_read(redis: Redis) -> None:
    lists = PackedLists(redis, prefix=PREFIX)
    await build(lists, [1])
    size_bytes = await redis.memory_usage(f"{PREFIX}:{{b1}}:1", samples=0) or 0
    print(f"memory: {size_bytes / (len(IDS) + 1):.1f} bytes an entry")
    own_s, wall_s, count = time.process_time(), time.perf_counter(), 2_000
    for _ in range(count):
        await lists.read(1, count=PAGE_IDS)
    print(
        f"read of {PAGE_IDS} of {len(IDS)}: {(time.perf_counter() - wall_s) / count * 1e6:.0f} us"
        f" (own CPU {(time.process_time() - own_s) / count * 1e6:.0f})"
    )
    await lists.forget([1])
    await lists.stop()


async def main(url: str) -> None:
    redis = open_redis(url, client_name="micro")
    await measure_push(
        redis, f"{OWNERS} lists of one bucket in one call", [BUCKETS * number for number in range(OWNERS)]
    )
    await measure_push(redis, f"{OWNERS} lists of {BUCKETS} buckets in one pipeline", range(OWNERS))
    await measure_read(redis)
    await redis.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
