"""Carries pushes to their recipients' sessions on every node.

A push to a room travels on the room's channel and is delivered when it arrives there, at the publisher too: all members
receive one order. Delivery is at most once; only where Redis hangs in the middle of a publish and carries it out later,
or begins to refuse writes at that moment, may sessions of the publishing node receive a push twice. Members that may
have missed a message get a `resync`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

from realtime.contract.emissions import (
    CloseRoom,
    CloseRoomsAbout,
    Emission,
    JoinRoom,
    Restore,
    RevokeLoginSessions,
    Signal,
    ToRoom,
    Withdraw,
)
from realtime.contract.packed_ids import pack_ids, unpack_ids
from realtime.contract.wire import encode_model
from realtime.engine.hub import Hub
from realtime.engine.protocol.encoded_push import EncodedPush, Subjects
from realtime.engine.replay.push_ids import PushIds
from realtime.engine.replay.replay_log import ReplayLogs, family_key
from realtime.engine.replay.withdrawals import is_left_out
from realtime.engine.session.session import Session
from realtime.pubsub import envelope, room_names
from realtime.pubsub.backplane import Backplane
from realtime.pubsub.envelope import (
    Envelope,
    LoginRevocation,
    Restoration,
    RoomClosure,
    RoomJoin,
    RoomPush,
    SubjectClosure,
    TopicPush,
    Withdrawal,
)
from realtime.pubsub.membership import Membership
from realtime.pubsub.position_announcer import ANNOUNCE_EVERY_S, PositionAnnouncer
from realtime.pubsub.restricted_rooms import RestrictedRooms
from realtime.pubsub.resync_notifier import ResyncNotifier
from realtime.pubsub.topic_registry import TopicRegistry
from realtime.redis.client import StoreUnavailable


class ChannelHandler(Protocol):
    """Handles the messages of a backplane channel that carries no pushes."""

    def on_message(self, body: bytes) -> None: ...

    def on_missed(self) -> None:
        """Messages of the channel may have been lost."""
        ...


class Fanout:
    """Publishes pushes and delivers those that arrive to the sessions of this node.

    `on_revoked` gets the ids of login sessions that end, some of them twice. `on_joins_missed` gets the id of a user
    whose sessions may have missed a `JoinRoom`. `on_delivered` gets the number of sessions that each push reached.
    `of_every_version` has the names of the pushes that follow each edit of what they tell.
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
        on_joins_missed: Callable[[int], None],
        on_delivered: Callable[[int], None],
        channel_handlers: Mapping[str, ChannelHandler],
        positions_every_s: float = ANNOUNCE_EVERY_S,
        of_every_version: frozenset[str] = frozenset(),
    ) -> None:
        self._hub = hub
        self._backplane = backplane
        self._topic_registry = topic_registry
        self._membership = membership
        self._resync_notifier = resync_notifier
        self._logs = logs
        self.restricted_rooms = RestrictedRooms(hub, membership, resync_notifier, logs.withdrawals)
        self._push_ids = PushIds()
        self._positions = PositionAnnouncer(self.publish, every_s=positions_every_s)
        self._on_revoked = on_revoked
        self._on_joins_missed = on_joins_missed
        self._on_delivered = on_delivered
        self._channel_handlers = dict(channel_handlers)
        self._of_every_version = of_every_version
        self._own_channel = room_names.node_channel(backplane.node_id)

    async def start(self) -> None:
        self._membership.start()
        await self._backplane.start(on_message=self._on_message, on_missed=self._on_missed)
        await self._backplane.subscribe(room_names.EVERY_TOPIC_CHANNEL)
        await self._topic_registry.start(on_lost=self._on_topic_missed)
        self._positions.start()

    async def stop(self) -> None:
        await self._positions.stop()
        await self._membership.stop()  # first: its background jobs use the others
        await self._topic_registry.stop()
        await self._backplane.stop()
        self._resync_notifier.stop()

    async def publish(self, emissions: Sequence[Emission], signals: Sequence[Signal] = ()) -> None:
        """Sends the pushes and signals of a committed change, in the given order for each room.

        Changes that were committed at the same time are published in any order, on one node too.
        A backplane that is away is no error: this node's own sessions are served at once, and all others get a
        `resync` when the backplane is back.
        """
        messages: list[tuple[str, Envelope]] = []
        for emission in emissions:
            if emission.push.position is not None:
                self._positions.record(emission)
            messages += await self._address(emission)
        for signal in signals:
            addressed = _address_signal(signal)
            messages += addressed
            if not isinstance(signal, JoinRoom):
                # This node applies it before the command is answered; the others when the message arrives.
                for channel, content in addressed:
                    self._deliver(channel, content)
        if not messages:
            return
        packed = [(channel, envelope.pack(content)) for channel, content in messages]
        if not await self._backplane.publish(packed):
            for channel, content in messages:
                if not room_names.is_node_channel(channel) or channel == self._own_channel:
                    self._deliver(channel, content)

    async def _address(self, emission: Emission) -> list[tuple[str, Envelope]]:
        push, namespace, to = emission.push, emission.namespace, emission.to
        data = encode_model(emission.data)
        declared = () if push.subjects_of is None else tuple(push.subjects_of(emission.data))
        subjects = (*declared, *emission.also_about)
        if isinstance(to, ToRoom):
            push_id = None if push.volatile else self._push_ids.make()
            content = RoomPush(namespace, push.name, data, push_id, subjects, pack_ids(to.without))
            return [(room_names.room_channel(to.room), content)]
        by_channel: dict[str, Sequence[int]]
        try:
            by_node = await self._topic_registry.subscribers_by_node(to.topic, to.user_ids)
            by_channel = {room_names.node_channel(node_id): user_ids for node_id, user_ids in by_node.items()}
        except StoreUnavailable:
            by_channel = {room_names.EVERY_TOPIC_CHANNEL: to.user_ids}
        # The id belongs to the part of the users, not to the node: a client that moves to another node meets the same
        # id there, and gets the push only once.
        parts = [(set(part), None if push.volatile else self._push_ids.make()) for part in envelope.chunks(to.user_ids)]
        return [
            (channel, TopicPush(namespace, push.name, data, to.topic, pack_ids(local), push_id, subjects))
            for channel, user_ids in by_channel.items()
            for part, push_id in parts
            if (local := [user_id for user_id in user_ids if user_id in part])
        ]

    async def subscribe(self, channel: str, handler: ChannelHandler) -> None:
        """Passes the messages of a channel to `handler` from now on; the channel must carry no pushes."""
        self._channel_handlers[channel] = handler
        await self._backplane.subscribe(channel)

    async def unsubscribe(self, channel: str) -> None:
        if self._channel_handlers.pop(channel, None) is not None:
            await self._backplane.unsubscribe(channel)

    def _on_message(self, channel: str, body: bytes) -> None:
        if (handler := self._channel_handlers.get(channel)) is not None:
            handler.on_message(body)
        else:
            self._deliver(channel, envelope.unpack(body))

    def _deliver(self, channel: str, content: Envelope) -> None:
        match content:
            case RoomPush():
                room = room_names.room_of_channel(channel)
                if room is not None:
                    push = self._received(content, room_names.resync_scope(room))
                    if self._logs.append(room, push):
                        self._send(push, (room,))
            case TopicPush(topic=topic, packed_user_ids=packed_user_ids):
                push = self._received(content, topic)
                if self._logs.append(family_key(topic), push, packed_user_ids):
                    user_ids = unpack_ids(packed_user_ids)
                    self._send(push, [room_names.topic_room(topic, user_id) for user_id in user_ids])
            case RoomJoin():
                self._membership.run_later(partial(self._join_sessions, content))
            case LoginRevocation(login_session_ids):
                self._on_revoked(login_session_ids)
            case Withdrawal(subject, below_version, packed_user_ids):
                from_users = None if packed_user_ids is None else unpack_ids(packed_user_ids)
                self._logs.withdrawals.withdraw(subject, below_version, from_users)
                if below_version is None:
                    self.restricted_rooms.withdraw(subject, from_users or ())
            case Restoration(subject, packed_user_ids):
                to_users = None if packed_user_ids is None else unpack_ids(packed_user_ids)
                self._logs.withdrawals.restore(subject, to_users)
            case RoomClosure():
                self.restricted_rooms.close(room_names.room_of_channel(channel) or "")
            case SubjectClosure(subject):
                self.restricted_rooms.close_about(subject)

    def _received(self, content: RoomPush | TopicPush, scope: str) -> EncodedPush:
        named, without = content.subjects, content.without if isinstance(content, RoomPush) else b""
        subjects = Subjects(scope, named, self._logs.withdrawals.generation, without) if named or without else None
        return EncodedPush(content.namespace, content.event, content.data, content.push_id, subjects)

    def _send(self, push: EncodedPush, rooms: Iterable[str]) -> None:
        subjects = push.subjects
        if subjects is not None and self._logs.withdrawals.may_include(subjects):
            self._on_delivered(self._send_to_entitled(push, subjects, rooms))
        else:
            self._on_delivered(self._hub.push(push, rooms))

    def _send_to_entitled(self, push: EncodedPush, subjects: Subjects, rooms: Iterable[str]) -> int:
        """Sends a push that not all members may get: some are left out, or it was overtaken by a withdrawal.

        After an edit the others get a `resync`, since they lack what the push tells beside the old version; but not
        where a push of the next version follows.
        """
        withdrawals = self._logs.withdrawals
        is_outdated = push.event not in self._of_every_version and withdrawals.is_outdated(subjects)
        count = 0
        for member in self._hub.members_of_any(push.namespace, rooms):
            if is_left_out(subjects, member.user_id):
                continue
            if not withdrawals.includes(subjects, member.user_id):
                member.deliver(push)
                count += 1
            elif is_outdated or withdrawals.is_outdated_for(subjects, member.user_id):
                self._resync_notifier.resync(member, subjects.scope)
        return count

    def send_pending_resync(self, session: Session) -> None:
        """Tells a session now what it has to read again, before it moves to another node."""
        self._resync_notifier.send_now(session)

    async def join_with_resync(self, session: Session, room: str, scope: str | None = None) -> None:
        """Puts a session into a room that was created after it connected, and tells it to `resync` the room.

        `scope` stands for the room where the user may not know of it yet. A session that is in the room already, or may
        not be in it any more, gets nothing.
        """
        if room not in session.rooms and not self.restricted_rooms.is_withdrawn(room, session.user_id):
            await self._membership.join(session, room)
            self._resync_notifier.resync(session, room_names.resync_scope(room) if scope is None else scope)

    async def _join_sessions(self, order: RoomJoin) -> None:
        for session in self._hub.members(order.namespace, room_names.person_room(order.user_id)):
            if order.is_new:
                await self._membership.join(session, order.room)
            else:
                await self.join_with_resync(session, order.room)

    def _on_missed(self, channel: str) -> None:
        if channel == room_names.EVERY_NODE_CHANNEL:
            self._logs.withdrawals.withdraw_all()
            self.restricted_rooms.leave_all()
        room = room_names.room_of_channel(channel)
        if room is not None:
            self._logs.interrupt(room)
            self._resync_notifier.resync_room(room)
            user_id = room_names.person_of_room(room)
            if user_id is not None:
                self._on_joins_missed(user_id)
        elif (handler := self._channel_handlers.get(channel)) is not None:
            handler.on_missed()
        elif channel in (self._own_channel, room_names.EVERY_TOPIC_CHANNEL):
            self._on_topic_missed(None)

    def _on_topic_missed(self, topic: str | None) -> None:
        if topic is None:
            self._logs.interrupt_families()
        else:
            self._logs.interrupt(family_key(topic))
        self._resync_notifier.resync_topic(topic)


def _address_signal(signal: Signal) -> list[tuple[str, Envelope]]:
    match signal:
        case JoinRoom(namespace, room, user_ids, is_new):
            return [
                (room_names.room_channel(room_names.person_room(user_id)), RoomJoin(namespace, room, user_id, is_new))
                for user_id in user_ids
            ]
        case RevokeLoginSessions(login_session_ids):
            return [
                (room_names.EVERY_NODE_CHANNEL, LoginRevocation(part)) for part in envelope.chunks(login_session_ids)
            ]
        case Withdraw(subject, below_version, from_users):
            parts = [None] if from_users is None else [pack_ids(part) for part in envelope.chunks(from_users)]
            return [(room_names.EVERY_NODE_CHANNEL, Withdrawal(subject, below_version, part)) for part in parts]
        case CloseRoom(room):
            return [(room_names.room_channel(room), RoomClosure())]
        case CloseRoomsAbout(subject):
            return [(room_names.EVERY_NODE_CHANNEL, SubjectClosure(subject))]
        case Restore(subject, to_users):
            parts = [None] if to_users is None else [pack_ids(part) for part in envelope.chunks(to_users)]
            return [(room_names.EVERY_NODE_CHANNEL, Restoration(subject, part)) for part in parts]
