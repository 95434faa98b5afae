"""Tells positions again some seconds after a push, so that whoever has missed the last one notices."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from realtime.contract.emissions import Emission, ToRoom, emission
from realtime.process.background_tasks import end_task

TELL_EVERY_S = 5.0
MAX_ROOMS = 100_000

log = structlog.get_logger(__name__)


class LastPositions:
    """The rooms that this node has lately said something numbered in, each with the largest number.

    What was said is told again by its position at most `every_s` later, once for all that was said in a room since.
    """

    def __init__(
        self, publish: Callable[[Sequence[Emission]], Awaitable[None]], *, every_s: float = TELL_EVERY_S
    ) -> None:
        self._publish = publish
        self._every_s = every_s
        self._said: dict[tuple[str, str], tuple[int, Emission]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="last-positions")

    async def stop(self) -> None:
        """Tells what is still to be told."""
        if self._task is not None:
            await end_task(self._task)
            await self._tell()

    def note(self, said: Emission) -> None:
        """Remembers a push that is on its way, if its position is to be told again."""
        then = said.push.then
        if then is None or not isinstance(said.to, ToRoom):
            return
        key = (said.to.room, then.push.name)
        number = then.number(said.data)
        known = self._said.get(key)
        if known is None or known[0] < number:
            if known is None and len(self._said) >= MAX_ROOMS:
                del self._said[next(iter(self._said))]
            self._said[key] = (number, emission(then.push, then.of(said.data), said.to))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self._tell()
            except Exception:
                log.exception("positions_not_told")

    async def _tell(self) -> None:
        said, self._said = self._said, {}
        if said:
            await self._publish([position for _, position in said.values()])
