"""Reads from SQL which rooms a user's new session enters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from realtime.process.outage_log import OutageLog
from server.pipeline.registry import Registry
from sql.errors import Retry, Unavailable
from sql.ids import UserId
from sql.unit import Units

USERS_PER_READ = 500

log = structlog.get_logger(__name__)


class RoomReader:
    """One read at a time per namespace, for all callers that wait: mass reconnects do not flood PostgreSQL."""

    def __init__(self, registry: Registry, units: Units) -> None:
        self._registry = registry
        self._units = units
        self._batches = {
            name: _BatchedReads(self._reader(name)) for name in registry.namespaces if registry.entry_rooms(name)
        }

    @property
    def namespaces(self) -> Sequence[str]:
        """The namespaces in which users have rooms."""
        return tuple(self._batches)

    async def rooms_of(self, namespace: str, user_id: int) -> Sequence[str]:
        """The user's rooms, read after the call began. Raises Unavailable and Retry."""
        reads = self._batches.get(namespace)
        return () if reads is None else await reads.rooms_of(UserId(user_id))

    async def stop(self) -> None:
        """Cancels all callers that wait."""
        for reads in self._batches.values():
            await reads.stop()

    def _reader(self, namespace: str) -> _Read:
        entry_rooms = self._registry.entry_rooms(namespace)

        async def read(user_ids: Sequence[UserId]) -> Mapping[UserId, Sequence[str]]:
            found = [await rooms_of(self._units.reads, user_ids) for rooms_of in entry_rooms]
            return {user_id: [room for part in found for room in part.get(user_id, ())] for user_id in user_ids}

        return read


_Read = Callable[[Sequence[UserId]], Awaitable[Mapping[UserId, Sequence[str]]]]


class _BatchedReads:
    """Calls that arrive during a read share the next one; all devices of a user share one answer."""

    def __init__(self, read: _Read) -> None:
        self._read = read
        self._waiting: dict[UserId, asyncio.Future[Sequence[str]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._outage = OutageLog(log, "room_reader_waits", known=(Unavailable, Retry))

    async def rooms_of(self, user_id: UserId) -> Sequence[str]:
        answer = self._waiting.get(user_id)
        if answer is None:
            answer = self._waiting[user_id] = asyncio.get_running_loop().create_future()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="room-reader")
        return await asyncio.shield(answer)  # a caller that is cancelled must not cancel the other callers' answer

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for answer in self._waiting.values():
            answer.cancel()

    async def _run(self) -> None:
        while self._waiting:
            answers = {user_id: self._waiting.pop(user_id) for user_id in list(self._waiting)[:USERS_PER_READ]}
            try:
                found = await self._read(tuple(answers))
            except Exception as error:
                self._outage.failed(error)
                for answer in answers.values():
                    answer.set_exception(error)
                    answer.exception()  # marked as retrieved: all its callers may have been cancelled
            except asyncio.CancelledError:
                for answer in answers.values():
                    answer.cancel()
                raise
            else:
                self._outage.succeeded()
                for user_id, answer in answers.items():
                    answer.set_result(found[user_id])
        self._task = None
