"""The sessions whose rooms have to be read again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from realtime.engine.hub import Hub
from realtime.engine.session.session import Session
from realtime.pubsub import room_names


class RoomResyncQueue:
    """Each session is in it at most once, in the order of arrival. `namespaces` are those in which users have rooms."""

    def __init__(self, hub: Hub, namespaces: Sequence[str]) -> None:
        self._hub = hub
        self._namespaces = namespaces
        self._waiting: dict[Session, None] = {}
        self._arrived = asyncio.Event()

    def add_sessions_of(self, user_id: int) -> None:
        """Adds the user's sessions: `JoinRoom` signals up to now may have been lost; later ones arrive."""
        for namespace in self._namespaces:
            self._waiting.update(dict.fromkeys(self._hub.members(namespace, room_names.person_room(user_id))))
        self._arrived.set()

    def put_back(self, session: Session) -> None:
        """Adds a session whose rooms could not be read."""
        self._waiting[session] = None
        self._arrived.set()

    async def next_batch(self, max_count: int) -> Sequence[Session]:
        """Waits until there are sessions; removes the first ones and returns them."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        batch = list(self._waiting)[:max_count]
        for session in batch:
            del self._waiting[session]
        return batch
