"""Runs what an operator asks for at the command line, as the operation of a command without a caller."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from handlers.context import Caller, Context, Outcome
from handlers.ports import Services
from realtime.contract.wire import Nothing
from server.pipeline.no_session import NO_SESSION
from server.pipeline.publisher import Publisher
from server.pipeline.unit_runner import TRIES_AFTER_CONTENTION, store_facts
from sql.errors import Retry, Unavailable
from sql.unit import Units

_NO_CALLER: Final = Caller(None, "", None)


class OperatorRunner:
    """Commits, then publishes."""

    def __init__(self, units: Units, services: Services, publisher: Publisher) -> None:
        self._units = units
        self._services = services
        self._publisher = publisher

    async def run(self, operation: Callable[[Context], Awaitable[Outcome[Nothing]]]) -> None:
        """Raises CommandError where the operation refuses."""
        for remaining in reversed(range(TRIES_AFTER_CONTENTION)):
            try:
                async with self._units.write() as db:
                    outcome = await operation(Context(_NO_CALLER, NO_SESSION, self._services, db))
                    await store_facts(db, outcome.facts)
                break
            except Retry as error:
                if not remaining:
                    raise Unavailable("contention did not end") from error
        await self._publisher.publish(outcome)
