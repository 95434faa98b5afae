"""Brings pushes to the clients that should hear them, on every node.

A push to a room is delivered everywhere, at the publisher too, when it comes back on the room's channel: that gives one
order to all members. Delivery is at most once. Where a message may have been missed, the members are told to `resync`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from realtime import envelope, rooms
from realtime.backplane import Backplane
from realtime.engine.hub import Hub
from realtime.envelope import EnterOrder, Envelope, ListenersPush, RevokeOrder, RoomPush
from realtime.gaps import Gaps
from realtime.listeners import Listeners
from realtime.membership import Membership
from realtime.outgoing import Emission, Enter, Revoke, Signal, ToRoom
from realtime.redis_client import StoreUnavailable
from realtime.wire import encode_model


class ChannelHearer(Protocol):
    """Whoever else hears a channel of its own over the backplane."""

    def hear(self, body: bytes) -> None: ...

    def missed(self) -> None:
        """Messages of the channel may have been lost."""
        ...


class Fanout:
    """The way of a push from its publisher to the sessions of all nodes."""

    def __init__(
        self,
        hub: Hub,
        backplane: Backplane,
        listeners: Listeners,
        membership: Membership,
        gaps: Gaps,
        *,
        on_revoked: Callable[[Sequence[int]], None],
        on_delivered: Callable[[int], None],
        hearers: Mapping[str, ChannelHearer],
    ) -> None:
        self._hub = hub
        self._backplane = backplane
        self._listeners = listeners
        self._membership = membership
        self._gaps = gaps
        self._on_revoked = on_revoked
        self._on_delivered = on_delivered
        self._hearers = hearers

    async def start(self) -> None:
        self._membership.start()
        await self._backplane.start(on_message=self._on_message, on_gap=self._on_gap)
        await self._listeners.start(on_lost=self._gaps.topic_missed)

    async def stop(self) -> None:
        await self._listeners.stop()
        await self._backplane.stop()
        self._gaps.stop()
        await self._membership.stop()

    async def publish(self, emissions: Sequence[Emission], signals: Sequence[Signal] = ()) -> None:
        """Sends what a committed change has to say, in the given order for each room. A lost backplane is no error:
        this node's members are then served at once, and everybody re-reads when it heals.
        """
        messages: list[tuple[str, Envelope]] = []
        for emission in emissions:
            messages += await self._address(emission)
        for signal in signals:
            messages += _order(signal)
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

    def _on_message(self, channel: str, body: bytes) -> None:
        if (hearer := self._hearers.get(channel)) is not None:
            hearer.hear(body)
        else:
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
                self._membership.later(partial(self._let_enter, namespace, room, user_id))
            case RevokeOrder(login_session_ids):
                self._on_revoked(login_session_ids)

    async def _let_enter(self, namespace: str, room: str, user_id: int) -> None:
        for member in self._hub.members(namespace, rooms.person_room(user_id)):
            if room not in member.rooms:
                await self._membership.enter(member, room)
                self._gaps.missed(member, rooms.resync_scope(room))

    def _on_gap(self, channel: str) -> None:
        room = rooms.room_of_channel(channel)
        if room is not None:
            self._gaps.room_missed(room)
        elif (hearer := self._hearers.get(channel)) is not None:
            hearer.missed()
        elif channel == rooms.node_channel(self._backplane.node_id):
            self._gaps.topic_missed(None)


def _order(signal: Signal) -> list[tuple[str, Envelope]]:
    match signal:
        case Enter(namespace, room, user_ids):
            return [
                (rooms.room_channel(rooms.person_room(user_id)), EnterOrder(namespace, room, user_id))
                for user_id in user_ids
            ]
        case Revoke(login_session_ids):
            return [(rooms.EVERY_NODE_CHANNEL, RevokeOrder(part)) for part in envelope.chunks(login_session_ids)]
