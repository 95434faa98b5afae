"""Brings pushes to the clients that should hear them, on every node.

A push to a room is delivered everywhere, at the publisher too, when it comes back on the room's channel: that gives one
order to all members. Delivery is at most once; only where Redis hangs in the middle of a publish, and does it yet, may
the publisher's own sessions hear it twice. Where a message may have been missed, the members are told to `resync`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from realtime.contract.emissions import Emission, Enter, Revoke, Signal, ToRoom
from realtime.contract.wire import encode_model
from realtime.engine.hub import Hub
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.replay.push_ids import PushIds
from realtime.engine.replay.replay_log import ReplayLogs, family_key, pack_people
from realtime.engine.session.session import Session
from realtime.pubsub import envelope, rooms
from realtime.pubsub.backplane import Backplane
from realtime.pubsub.envelope import EnterOrder, Envelope, RevokeOrder, RoomPush, TopicPush
from realtime.pubsub.last_positions import TELL_EVERY_S, LastPositions
from realtime.pubsub.membership import Membership
from realtime.pubsub.resync_notifier import ResyncNotifier
from realtime.pubsub.topic_registry import TopicRegistry
from realtime.redis.client import StoreUnavailable


class ChannelHearer(Protocol):
    """Whoever else hears a channel of its own over the backplane."""

    def hear(self, body: bytes) -> None: ...

    def missed(self) -> None:
        """Messages of the channel may have been lost."""
        ...


class Fanout:
    """The way of a push from its publisher to the sessions of all nodes.

    `on_orders_missed(user_id)` hears of people whose sessions may have been ordered into a room unheard.
    """

    def __init__(
        self,
        hub: Hub,
        backplane: Backplane,
        topic_registry: TopicRegistry,
        membership: Membership,
        resync_notifier: ResyncNotifier,
        logs: ReplayLogs,
        *,
        on_revoked: Callable[[Sequence[int]], None],
        on_orders_missed: Callable[[int], None],
        on_delivered: Callable[[int], None],
        hearers: Mapping[str, ChannelHearer],
        positions_every_s: float = TELL_EVERY_S,
    ) -> None:
        self._hub = hub
        self._backplane = backplane
        self._topic_registry = topic_registry
        self._membership = membership
        self._resync_notifier = resync_notifier
        self._logs = logs
        self._push_ids = PushIds()
        self._positions = LastPositions(self.publish, every_s=positions_every_s)
        self._on_revoked = on_revoked
        self._on_orders_missed = on_orders_missed
        self._on_delivered = on_delivered
        self._hearers = dict(hearers)
        self._own_channel = rooms.node_channel(backplane.node_id)

    async def start(self) -> None:
        self._membership.start()
        await self._backplane.start(on_message=self._on_message, on_missed=self._on_missed)
        await self._backplane.subscribe(rooms.EVERY_TOPIC_CHANNEL)
        await self._topic_registry.start(on_lost=self._topic_missed)
        self._positions.start()

    async def stop(self) -> None:
        await self._positions.stop()
        await self._membership.stop()  # first: its chores need the others
        await self._topic_registry.stop()
        await self._backplane.stop()
        self._resync_notifier.stop()

    async def publish(self, emissions: Sequence[Emission], signals: Sequence[Signal] = ()) -> None:
        """Sends what a committed change has to say, in the given order for each room. A lost backplane is no error:
        this node's members are then served at once, and everybody re-reads when it heals.
        """
        messages: list[tuple[str, Envelope]] = []
        for emission in emissions:
            self._positions.note(emission)
            messages += await self._address(emission)
        for signal in signals:
            if isinstance(signal, Revoke):
                # This node knows when it answers; the others hear of it.
                self._on_revoked(signal.login_session_ids)
            messages += _order(signal)
        if not messages:
            return
        packed = [(channel, envelope.pack(content)) for channel, content in messages]
        if not await self._backplane.publish_many(packed):
            for channel, content in messages:
                if not rooms.is_node_channel(channel) or channel == self._own_channel:
                    self._deliver(channel, content)

    async def _address(self, emission: Emission) -> list[tuple[str, Envelope]]:
        push, to = emission.push, emission.to
        data = encode_model(emission.data)
        if isinstance(to, ToRoom):
            push_id = None if push.volatile else self._push_ids.make()
            return [(rooms.room_channel(to.room), RoomPush(push.namespace, push.name, data, push_id))]
        by_channel: dict[str, Sequence[int]]
        try:
            by_node = await self._topic_registry.on_nodes(to.topic, to.user_ids)
            by_channel = {rooms.node_channel(node_id): user_ids for node_id, user_ids in by_node.items()}
        except StoreUnavailable:
            by_channel = {rooms.EVERY_TOPIC_CHANNEL: to.user_ids}
        # An id goes with the same people on all nodes: whoever changes the node meanwhile hears the push once.
        parts = [(set(part), None if push.volatile else self._push_ids.make()) for part in envelope.chunks(to.user_ids)]
        return [
            (channel, TopicPush(push.namespace, push.name, data, to.topic, local, push_id))
            for channel, user_ids in by_channel.items()
            for part, push_id in parts
            if (local := [user_id for user_id in user_ids if user_id in part])
        ]

    async def hear(self, channel: str, hearer: ChannelHearer) -> None:
        """Gives the messages of a channel to somebody else, from now on; it carries no pushes."""
        self._hearers[channel] = hearer
        await self._backplane.subscribe(channel)

    async def ignore(self, channel: str) -> None:
        if self._hearers.pop(channel, None) is not None:
            await self._backplane.unsubscribe(channel)

    def _on_message(self, channel: str, body: bytes) -> None:
        if (hearer := self._hearers.get(channel)) is not None:
            hearer.hear(body)
        else:
            self._deliver(channel, envelope.unpack(body))

    def _deliver(self, channel: str, content: Envelope) -> None:
        match content:
            case RoomPush(namespace, event, data, push_id):
                room = rooms.room_of_channel(channel)
                push = EncodedPush(namespace, event, data, push_id)
                if room is not None and self._logs.append(room, push):
                    self._on_delivered(self._hub.push(push, (room,)))
            case TopicPush(namespace, event, data, topic, user_ids, push_id):
                push = EncodedPush(namespace, event, data, push_id)
                if self._logs.append(family_key(topic), push, pack_people(user_ids)):
                    self._on_delivered(self._hub.push(push, [rooms.topic_room(topic, user_id) for user_id in user_ids]))
            case EnterOrder(namespace, room, user_id):
                self._membership.later(partial(self._let_enter, namespace, room, user_id))
            case RevokeOrder(login_session_ids):
                self._on_revoked(login_session_ids)

    async def bring_in(self, member: Session, room: str) -> None:
        """Puts a session into a room that came to be after it connected; whoever was not in it is told to `resync`."""
        if room not in member.rooms:
            await self._membership.enter(member, room)
            self._resync_notifier.missed(member, rooms.resync_scope(room))

    async def _let_enter(self, namespace: str, room: str, user_id: int) -> None:
        for member in self._hub.members(namespace, rooms.person_room(user_id)):
            await self.bring_in(member, room)

    def _on_missed(self, channel: str) -> None:
        room = rooms.room_of_channel(channel)
        if room is not None:
            self._logs.interrupt(room)
            self._resync_notifier.room_missed(room)
            user_id = rooms.person_of_room(room)
            if user_id is not None:
                self._on_orders_missed(user_id)
        elif (hearer := self._hearers.get(channel)) is not None:
            hearer.missed()
        elif channel in (self._own_channel, rooms.EVERY_TOPIC_CHANNEL):
            self._topic_missed(None)

    def _topic_missed(self, topic: str | None) -> None:
        if topic is None:
            self._logs.interrupt_families()
        else:
            self._logs.interrupt(family_key(topic))
        self._resync_notifier.topic_missed(topic)


def _order(signal: Signal) -> list[tuple[str, Envelope]]:
    match signal:
        case Enter(namespace, room, user_ids):
            return [
                (rooms.room_channel(rooms.person_room(user_id)), EnterOrder(namespace, room, user_id))
                for user_id in user_ids
            ]
        case Revoke(login_session_ids):
            return [(rooms.EVERY_NODE_CHANNEL, RevokeOrder(part)) for part in envelope.chunks(login_session_ids)]
