"""Rooms, topics, presence, and the fan-out of pushes over all nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from handlers.presence.notices import PresenceNotices
from realtime.engine.hub import Hub
from realtime.engine.replay.replay_log import ReplayLogs
from realtime.presence.tracker import CHANNEL as PRESENCE_CHANNEL
from realtime.presence.tracker import PresenceTracker
from realtime.presence.watches import PresenceWatches
from realtime.pubsub.fanout import Fanout
from realtime.pubsub.membership import Membership
from realtime.pubsub.redis_backplane import RedisBackplane
from realtime.pubsub.resync_notifier import ResyncNotifier
from realtime.pubsub.topic_registry import TopicRegistry
from server.composition.context import NodeContext
from server.composition.storage import Storage
from server.rooms.room_reader import RoomReader
from server.rooms.room_resync import RoomResync
from server.rooms.room_resync_queue import RoomResyncQueue


@dataclass(frozen=True, slots=True)
class Messaging:
    hub: Hub
    backplane: RedisBackplane
    topic_registry: TopicRegistry
    membership: Membership
    logs: ReplayLogs
    fanout: Fanout
    presence: PresenceTracker
    watches: PresenceWatches
    room_reader: RoomReader
    room_resync: RoomResync


def build_messaging(
    node: NodeContext, storage: Storage, stack: AsyncExitStack, *, on_revoked: Callable[[Sequence[int]], None]
) -> Messaging:
    settings, registry, hub = node.settings, node.registry, Hub()
    backplane = RedisBackplane(storage.redis, node.node_id)
    topic_registry = TopicRegistry(storage.redis, node.node_id)
    membership = Membership(hub, backplane, topic_registry)

    # A lost client is noticed this much later at most.
    unnoticed_s = (settings.ping_interval_ms + settings.ping_timeout_ms) / 1000
    notices = PresenceNotices(storage.units, node.clock)
    presence = PresenceTracker(
        topic_registry, backplane, grace_s=settings.presence_grace_s, save_last_seen=notices.store_last_seen
    )
    watches = PresenceWatches(presence, backplane, notify=notices.notify_watchers, unnoticed_s=unnoticed_s)

    room_reader = RoomReader(registry, storage.units)
    stack.push_async_callback(room_reader.stop)
    room_resync_queue = RoomResyncQueue(hub, room_reader.namespaces)

    logs = ReplayLogs(
        # The recovery window begins when the loss is noticed; pushes from before that have to be there too.
        keep_s=unnoticed_s + settings.recovery_window_s,
        max_bytes=settings.recovery_log_max_bytes,
        now_s=asyncio.get_running_loop().time,
    )
    fanout = Fanout(
        hub,
        backplane,
        topic_registry,
        membership,
        ResyncNotifier(hub, membership, registry.namespaces),
        logs,
        on_revoked=on_revoked,
        on_joins_missed=room_resync_queue.add_sessions_of,
        on_delivered=node.metrics.delivered,
        channel_handlers={PRESENCE_CHANNEL: watches},
        positions_every_s=settings.positions_every_s,
        of_every_version=frozenset(push.name for push in registry.pushes.values() if push.of_every_version),
    )
    return Messaging(
        hub=hub,
        backplane=backplane,
        topic_registry=topic_registry,
        membership=membership,
        logs=logs,
        fanout=fanout,
        presence=presence,
        watches=watches,
        room_reader=room_reader,
        room_resync=RoomResync(room_resync_queue, room_reader, fanout),
    )
