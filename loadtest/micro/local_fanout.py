"""The product's path of a push to all clients, within one process: fan-out, memory backplane, hub."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from realtime.engine.hub import Hub
from realtime.engine.replay.replay_log import ReplayLogs
from realtime.pubsub.fanout import Fanout
from realtime.pubsub.membership import Membership
from realtime.pubsub.memory_backplane import MemoryBackplane
from realtime.pubsub.resync_notifier import ResyncNotifier
from realtime.pubsub.topic_registry import TopicRegistry
from realtime.redis.client import open_redis

PUBLIC_ROOM: Final = "everybody"
NODE: Final = "micro"
_LOG_S: Final = 165.0
_LOG_BYTES: Final = 67_108_864
_NO_REDIS: Final = "redis://127.0.0.1:1"


class LocalFanout:
    """What a node needs to reach its own clients. The topic registry is never used."""

    def __init__(self, namespaces: tuple[str, ...]) -> None:
        self.hub = Hub()
        self.backplane = MemoryBackplane(NODE)
        self.topic_registry = TopicRegistry(open_redis(_NO_REDIS, client_name=NODE), NODE)
        self.membership = Membership(self.hub, self.backplane, self.topic_registry)
        self.logs = ReplayLogs(keep_s=_LOG_S, max_bytes=_LOG_BYTES, now_s=time.monotonic)
        self.fanout = Fanout(
            self.hub,
            self.backplane,
            self.topic_registry,
            self.membership,
            ResyncNotifier(self.hub, self.membership, namespaces),
            self.logs,
            on_revoked=_ignore_revoked,
            on_joins_missed=_ignore_missed_joins,
            on_delivered=_ignore_count,
            channel_handlers={},
        )


def _ignore_revoked(_login_session_ids: Sequence[int]) -> None:
    return None


def _ignore_missed_joins(_user_id: int) -> None:
    return None


def _ignore_count(_count: int) -> None:
    return None
