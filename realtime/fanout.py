"""Brings pushes to the clients that should hear them, on every node.

A push to a room is delivered everywhere, at the publisher too, when it comes back on the room's channel: that gives one
order to all members. Delivery is at most once. Where a message may have been missed, the members are told to `resync`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import orjson
import structlog

from realtime import envelope, rooms
from realtime.backplane import Backplane
from realtime.engine.hub import Hub, Member
from realtime.envelope import EnterOrder, Envelope, ListenersPush, RevokeOrder, RoomPush
from realtime.listeners import Listeners
from realtime.outgoing import Emission, Enter, Revoke, Signal, ToRoom
from realtime.redis_client import StoreUnavailable
from realtime.wire import encode_model

RESYNC_EVENT = "resync"
RESYNC_DELAY_S = 0.05
"""Gaps of one outage are gathered for this long, so that a client hears one `resync` and not one per room."""

log = structlog.get_logger(__name__)


class Fanout:
    """This node's members, their rooms and topics, and the way to everybody else's."""

    def __init__(
        self,
        hub: Hub,
        backplane: Backplane,
        listeners: Listeners,
        *,
        on_revoked: Callable[[Sequence[int]], None],
        on_delivered: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._hub = hub
        self._backplane = backplane
        self._listeners = listeners
        self._on_revoked = on_revoked
        self._on_delivered = on_delivered
        self._topics: dict[Member, set[tuple[str, int]]] = {}
        self._chores: asyncio.Queue[Callable[[], Awaitable[object]]] = asyncio.Queue()
        self._chore_task: asyncio.Task[None] | None = None
        self._missed: dict[Member, set[str]] = {}
        self._resync_timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        self._chore_task = asyncio.create_task(self._do_chores(), name="fanout-chores")
        await self._backplane.start(on_message=self._on_message, on_gap=self._on_gap)
        await self._listeners.start(on_lost=self._on_topic_lost)

    async def stop(self) -> None:
        await self._listeners.stop()
        await self._backplane.stop()
        if self._resync_timer is not None:
            self._resync_timer.cancel()
        if self._chore_task is not None:
            self._chore_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._chore_task

    # --- membership ---------------------------------------------------------------------------------------------

    def admit(self, member: Member) -> None:
        """Makes a session known; only then may it enter rooms."""
        self._topics[member] = set()

    def release(self, member: Member) -> None:
        """Takes a session that is gone out of all its rooms; the channels are let go in the background."""
        topics = self._topics.pop(member, None)
        if topics is None:
            return
        self._missed.pop(member, None)
        local = {rooms.topic_room(topic, user_id) for topic, user_id in topics}
        shared = [room for room in member.rooms if room not in local]
        self._hub.leave_all(member)
        for room in shared:
            self._later(lambda room=room: self._backplane.unsubscribe(rooms.room_channel(room)))
        for topic, user_id in topics:
            self._later(lambda topic=topic, user_id=user_id: self._remove_listener(topic, user_id))

    async def enter(self, member: Member, room: str) -> None:
        """Puts a session into a room; when it returns, whatever is published from then on arrives.

        While the backplane is away the session hears its own node only, and a `resync` when the backplane is back.
        """
        if member not in self._topics or room in member.rooms:
            return
        self._hub.join(member, room)
        await self._backplane.subscribe(rooms.room_channel(room))

    async def leave(self, member: Member, room: str) -> None:
        if member not in self._topics or room not in member.rooms:
            return
        self._hub.leave(member, room)
        await self._backplane.unsubscribe(rooms.room_channel(room))

    async def listen(self, member: Member, topic: str, user_id: int) -> None:
        """Lets a session hear a topic as this person; when it returns, senders on all nodes know of it."""
        topics = self._topics.get(member)
        if topics is None or (topic, user_id) in topics:
            return
        topics.add((topic, user_id))
        self._hub.join(member, rooms.topic_room(topic, user_id))
        try:
            await self._listeners.add(topic, user_id)
        except StoreUnavailable:
            log.info("listener_unknown_to_other_nodes", topic=topic)

    async def unlisten(self, member: Member, topic: str, user_id: int) -> None:
        topics = self._topics.get(member)
        if topics is None or (topic, user_id) not in topics:
            return
        topics.discard((topic, user_id))
        self._hub.leave(member, rooms.topic_room(topic, user_id))
        await self._remove_listener(topic, user_id)

    # --- publishing ---------------------------------------------------------------------------------------------

    async def publish(self, emissions: Sequence[Emission], signals: Sequence[Signal] = ()) -> None:
        """Sends what a committed change has to say, in the given order for each room. Never raises for a lost backplane:
        this node's members are then served at once, and everybody re-reads when it heals.
        """
        messages: list[tuple[str, Envelope]] = []
        for emission in emissions:
            messages += await self._address(emission)
        for signal in signals:
            messages += self._order(signal)
        if not messages:
            return
        packed = [(channel, envelope.pack(content)) for channel, content in messages]
        if not await self._backplane.publish_many(packed):
            for channel, content in messages:
                self._deliver(channel, content)

    async def _address(self, emission: Emission) -> list[tuple[str, Envelope]]:
        push, to = emission.push, emission.to
        data = encode_model(emission.data)
        if isinstance(to, ToRoom):
            return [(rooms.room_channel(to.room), RoomPush(push.namespace, push.name, data))]
        try:
            by_node = await self._listeners.on_nodes(to.topic, to.user_ids)
        except StoreUnavailable:
            by_node = {self._backplane.node_id: list(to.user_ids)}
        return [
            (rooms.node_channel(node_id), ListenersPush(push.namespace, push.name, data, to.topic, part))
            for node_id, user_ids in by_node.items()
            for part in envelope.chunks(user_ids)
        ]

    @staticmethod
    def _order(signal: Signal) -> list[tuple[str, Envelope]]:
        match signal:
            case Enter(namespace, room, user_ids):
                return [
                    (rooms.room_channel(rooms.person_room(user_id)), EnterOrder(namespace, room, user_id))
                    for user_id in user_ids
                ]
            case Revoke(login_session_ids):
                return [
                    (rooms.EVERY_NODE_CHANNEL, RevokeOrder(part)) for part in envelope.chunks(login_session_ids)
                ]

    # --- delivery -----------------------------------------------------------------------------------------------

    def _on_message(self, channel: str, body: bytes) -> None:
        self._deliver(channel, envelope.unpack(body))

    def _deliver(self, channel: str, content: Envelope) -> None:
        match content:
            case RoomPush(namespace, event, data):
                room = rooms.room_of_channel(channel)
                if room is not None:
                    self._on_delivered(self._hub.broadcast(namespace, (room,), event, data))
            case ListenersPush(namespace, event, data, topic, user_ids):
                local = [rooms.topic_room(topic, user_id) for user_id in user_ids]
                self._on_delivered(self._hub.broadcast(namespace, local, event, data))
            case EnterOrder(namespace, room, user_id):
                self._later(lambda: self._let_enter(namespace, room, user_id))
            case RevokeOrder(login_session_ids):
                self._on_revoked(login_session_ids)

    async def _let_enter(self, namespace: str, room: str, user_id: int) -> None:
        for member in list(self._hub.members(namespace, rooms.person_room(user_id))):
            if room not in member.rooms:
                await self.enter(member, room)
                self._miss(member, rooms.resync_scope(room))

    # --- gaps ---------------------------------------------------------------------------------------------------

    def _on_gap(self, channel: str) -> None:
        room = rooms.room_of_channel(channel)
        for member, topics in self._topics.items():
            if room is not None:
                if room in member.rooms:
                    self._miss(member, rooms.resync_scope(room))
            elif channel == rooms.node_channel(self._backplane.node_id):
                for topic, _ in topics:
                    self._miss(member, topic)

    def _on_topic_lost(self, topic: str) -> None:
        for member, topics in self._topics.items():
            if any(name == topic for name, _ in topics):
                self._miss(member, topic)

    def _miss(self, member: Member, scope: str) -> None:
        if member not in self._topics:
            return
        self._missed.setdefault(member, set()).add(scope)
        if self._resync_timer is None:
            self._resync_timer = asyncio.get_running_loop().call_later(RESYNC_DELAY_S, self._tell_missed)

    def _tell_missed(self) -> None:
        self._resync_timer = None
        missed, self._missed = self._missed, {}
        for member, scopes in missed.items():
            scope = scopes.pop() if len(scopes) == 1 else rooms.RESYNC_ALL
            member.send(RESYNC_EVENT, orjson.dumps({"scope": scope}))

    # --- chores -------------------------------------------------------------------------------------------------

    def _later(self, chore: Callable[[], Awaitable[object]]) -> None:
        self._chores.put_nowait(chore)

    async def _do_chores(self) -> None:
        while True:
            chore = await self._chores.get()
            try:
                await chore()
            except Exception:
                log.exception("fanout_chore_failed")

    async def _remove_listener(self, topic: str, user_id: int) -> None:
        try:
            await self._listeners.remove(topic, user_id)
        except StoreUnavailable:
            log.info("listener_left_while_store_away", topic=topic)


