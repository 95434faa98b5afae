"""Puts sessions into the rooms that they were ordered into while this node could not hear the order."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from handlers.context import Caller
from realtime import rooms
from realtime.engine.hub import Hub, Member
from realtime.engine.session import Session
from realtime.fanout import Fanout
from realtime.identity import Identity
from server.dispatch import Dispatcher
from server.registry import Registry
from server.sockets import identity_of
from sql.errors import Retry, Unavailable

PAUSE_AFTER_FAILURE_S = 0.5

log = structlog.get_logger(__name__)


class Reentry:
    """Reads again which rooms a person belongs to once that person's own room was interrupted.

    One session after the other, so that the end of an outage is no rush on SQL.
    """

    def __init__(self, hub: Hub, registry: Registry) -> None:
        self._hub = hub
        self._entry_rooms = {name: found for name in registry.namespaces if (found := registry.entry_rooms(name))}
        self._waiting: dict[Member, None] = {}
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def missed(self, user_id: int) -> None:
        """Orders to this person's sessions may have been missed until now; none are from here on."""
        for namespace in self._entry_rooms:
            self._waiting.update(dict.fromkeys(self._hub.members(namespace, rooms.person_room(user_id))))
        self._arrived.set()

    def start(self, dispatcher: Dispatcher, fanout: Fanout) -> None:
        self._task = asyncio.create_task(self._run(dispatcher, fanout), name="reentry")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, dispatcher: Dispatcher, fanout: Fanout) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                member = next(iter(self._waiting))
                del self._waiting[member]
                try:
                    await self._reenter(member, dispatcher, fanout)
                except (Unavailable, Retry) as error:
                    log.warning("reentry_waits", error=str(error))
                    self._waiting[member] = None
                    await asyncio.sleep(PAUSE_AFTER_FAILURE_S)
                except Exception:
                    log.exception("reentry_failed", namespace=member.namespace)

    async def _reenter(self, member: Member, dispatcher: Dispatcher, fanout: Fanout) -> None:
        identity = _identity_of(member)
        if identity is None or not member.rooms:  # gone meanwhile
            return
        caller = Caller(identity, "", None)
        for room in await dispatcher.rooms_at_entry(caller, self._entry_rooms[member.namespace]):
            await fanout.bring_in(member, room)


def _identity_of(member: Member) -> Identity | None:
    return identity_of(member.connection) if isinstance(member, Session) else None
