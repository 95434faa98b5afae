"""Consumers of the log written by hand, all in SQL: `python -m loadtest.peers.bare_consumers --consumers 8`.

Each has a connection of its own and reads lane after lane; one statement reads, stores and moves the checkpoint.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from typing import Any, Final

import asyncpg

from loadtest.bench.facts.statements import load_statements
from loadtest.server_process import run, serve_until_signal

LANES: Final = 8
BATCH_SIZE: Final = 1_000
IDLE_S: Final = 0.01


async def consume(statements: Any, database_url: str, consumer: int) -> None:
    connection = await asyncpg.connect(
        database_url, server_settings={"jit": "off", "plan_cache_mode": "force_generic_plan"}
    )
    try:
        while True:
            taken = 0
            for lane in range(LANES):
                taken += await statements.consume(connection, consumer=consumer, lane=lane, batch_size=BATCH_SIZE)
            if not taken:
                await asyncio.sleep(IDLE_S)
    finally:
        await connection.close()


async def work(consumers: int) -> None:
    statements, database_url = load_statements(), os.environ["DATABASE_URL"]
    connection = await asyncpg.connect(database_url)
    await statements.begin_at_the_oldest(connection, consumers=consumers)
    await connection.close()
    tasks = [asyncio.create_task(consume(statements, database_url, number)) for number in range(consumers)]
    await serve_until_signal()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--consumers", type=int, default=8, help="how many")
    run(work(options.parse_args().consumers))


if __name__ == "__main__":
    main()
