"""Runs consumers on the Facts of the log."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from handlers.context import Caller, Context, Reaction
from handlers.feature import Consumer, combined
from handlers.ports import Services
from server.pipeline.no_session import NO_SESSION
from server.pipeline.publisher import Publisher
from server.pipeline.unit_runner import store_facts
from sql.database import Database
from sql.unit import Units

_NO_CALLER = Caller(None, "", None)


class FactBatch(NamedTuple):
    """Facts in parallel lists."""

    names: Sequence[str]
    payloads: Sequence[str]
    """JSON texts."""

    def by_name(self) -> Mapping[str, Sequence[str]]:
        """The payloads of each name, in their order."""
        if len(set(self.names)) == 1:
            return {self.names[0]: self.payloads}
        found: dict[str, list[str]] = defaultdict(list)
        for name, payload in zip(self.names, self.payloads, strict=True):
            found[name].append(payload)
        return found


class Reactions:
    """Runs a consumer on a batch of Facts, stores its effects, and sends its pushes."""

    def __init__(self, units: Units, services: Services, publisher: Publisher, *, timeout_s: float) -> None:
        self._units = units
        self._services = services
        self._publisher = publisher
        self._timeout_s = timeout_s

    async def run(
        self,
        consumer: Consumer,
        facts: FactBatch,
        settle: Callable[[Database], Awaitable[None]],
        *,
        silent: bool = False,
    ) -> None:
        """Brings the Facts to the consumer; `settle` marks them as read, in the transaction of the effects.

        Raises what the consumer or `settle` raises, TimeoutError for a reaction that takes too long; nothing is stored
        then. A `silent` run sends no pushes.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                reaction = await self._react(consumer, facts)
        except asyncio.CancelledError as error:
            # It awaited something that was cancelled; raised on, it would end the loop of the consumer without a word.
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            raise RuntimeError("the reaction was cancelled from within") from error
        if silent:
            reaction = reaction._replace(pushes=(), signals=())
        stores = bool(reaction.store or reaction.facts)
        if not stores:
            # Before: if this process dies in between, they are sent again, which they can bear.
            await self._publisher.publish(reaction)
        async with self._units.write() as db:
            await settle(db)
            if reaction.store is not None:
                await reaction.store(db)
            await store_facts(db, reaction.facts)
        if stores:
            await self._publisher.publish(reaction)

    async def _react(self, consumer: Consumer, facts: FactBatch) -> Reaction:
        payloads = facts.by_name()
        context = Context(_NO_CALLER, NO_SESSION, self._services, self._units.reads)
        return combined(
            [
                await handler.react(context, handler.fact.parse(bodies))
                for handler in consumer.handlers
                if (bodies := payloads.get(handler.fact.name))
            ]
        )
