"""Reads the rooms that people belong to when their sessions come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from realtime.process.outage import Outage
from server.pipeline.registry import Registry
from sql.errors import Retry, Unavailable
from sql.ids import UserId
from sql.unit import Units

PEOPLE_PER_READ = 500

log = structlog.get_logger(__name__)


class RoomReader:
    """One read at a time for each namespace, for all who wait: however many come at once, PostgreSQL is not flooded."""

    def __init__(self, registry: Registry, units: Units) -> None:
        self._registry = registry
        self._units = units
        self._lines = {name: _Line(self._reader(name)) for name in registry.namespaces if registry.entry_rooms(name)}

    @property
    def namespaces(self) -> Sequence[str]:
        """Those where anybody has to be let into rooms."""
        return tuple(self._lines)

    async def rooms_of(self, namespace: str, user_id: int) -> Sequence[str]:
        """What this person belongs to, read after the call began. Raises Unavailable and Retry."""
        line = self._lines.get(namespace)
        return () if line is None else await line.wait_for(UserId(user_id))

    async def stop(self) -> None:
        """Whoever waits is cancelled."""
        for line in self._lines.values():
            await line.stop()

    def _reader(self, namespace: str) -> _Read:
        entry_rooms = self._registry.entry_rooms(namespace)

        async def read(user_ids: Sequence[UserId]) -> Mapping[UserId, Sequence[str]]:
            async with self._units.read() as db:
                found = [await rooms_of(db, user_ids) for rooms_of in entry_rooms]
            return {user_id: [room for part in found for room in part.get(user_id, ())] for user_id in user_ids}

        return read


_Read = Callable[[Sequence[UserId]], Awaitable[Mapping[UserId, Sequence[str]]]]


class _Line:
    """Those who wait for the next read; devices of one person share an answer."""

    def __init__(self, read: _Read) -> None:
        self._read = read
        self._waiting: dict[UserId, asyncio.Future[Sequence[str]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._outage = Outage(log, "room_reader_waits")

    async def wait_for(self, user_id: UserId) -> Sequence[str]:
        answer = self._waiting.get(user_id)
        if answer is None:
            answer = self._waiting[user_id] = asyncio.get_running_loop().create_future()
        if self._task is None:
            self._task = asyncio.create_task(self._serve(), name="room-reader")
        return await asyncio.shield(answer)  # one device that is lost does not take the answer from the other

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for answer in self._waiting.values():
            answer.cancel()

    async def _serve(self) -> None:
        while self._waiting:
            answers = {user_id: self._waiting.pop(user_id) for user_id in list(self._waiting)[:PEOPLE_PER_READ]}
            try:
                found = await self._read(tuple(answers))
            except Exception as error:
                if isinstance(error, Unavailable | Retry):
                    self._outage.goes_on(error)
                for answer in answers.values():
                    answer.set_exception(error)
                    answer.exception()  # nobody may be left to hear it
            except asyncio.CancelledError:
                for answer in answers.values():
                    answer.cancel()
                raise
            else:
                self._outage.is_over()
                for user_id, answer in answers.items():
                    answer.set_result(found[user_id])
        self._task = None
