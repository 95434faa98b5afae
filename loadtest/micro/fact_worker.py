"""A worker of the product whose consumers store one row per Fact: `python -m loadtest.micro.fact_worker --consumers 8`.

It takes PostgreSQL and Redis from the environment, as every process of the product does, and stores into the table
`bench_effects`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Final

from handlers.context import Context, Reaction
from handlers.feature import Consumer, Feature, on
from loadtest.bench.facts.statements import load_statements
from loadtest.server_process import run, serve_until_signal
from realtime.contract.declarations import Fact
from realtime.contract.wire import Model
from server.composition.node import Node
from server.config import load_settings
from sql.database import Database, UnitDatabase

FACT_NAME: Final = "bench.made"


class Made(Model):
    number: int


MADE: Final = Fact(name=FACT_NAME, model=Made, key="number")


def writing_consumer(place: int, statements: Any) -> Consumer:
    """A consumer that writes a row for each Fact, a batch by one statement."""

    async def react(ctx: Context, batch: Sequence[Made]) -> Reaction:
        async def store(db: Database) -> None:
            assert isinstance(db, UnitDatabase)
            await statements.store_effects(db.connection, consumer=place, numbers=[made.number for made in batch])

        return Reaction(store=store)

    return Consumer(f"bench_{place}", (on(MADE, react),))


async def work(consumers: int) -> None:
    statements = load_statements()
    feature = Feature(
        name="bench",
        commands=(),
        facts=(MADE,),
        consumers=tuple(writing_consumer(place, statements) for place in range(consumers)),
    )
    node = Node(load_settings(), serve=False, work=True, features=[feature])
    await node.start()
    try:
        await serve_until_signal()
    finally:
        await node.stop()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--consumers", type=int, default=8, help="how many")
    run(work(options.parse_args().consumers))


if __name__ == "__main__":
    main()
