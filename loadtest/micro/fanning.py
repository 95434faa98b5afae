"""The product's way of a push to everybody, within one process: fan-out, memory backplane, hub."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from realtime.backplane_memory import MemoryBackplane
from realtime.engine.hub import Hub
from realtime.fanout import Fanout
from realtime.gaps import Gaps
from realtime.listeners import Listeners
from realtime.membership import Membership
from realtime.redis_client import open_redis
from realtime.replay_log import ReplayLogs

EVERYBODY: Final = "everybody"
NODE: Final = "micro"
_LOG_S: Final = 165.0
_LOG_BYTES: Final = 67_108_864
_NOBODY_LISTENS_TO_TOPICS: Final = "redis://127.0.0.1:1"


class Fanning:
    """What a node needs to reach its own clients. The registry of listeners is there and never asked."""

    def __init__(self, namespaces: tuple[str, ...]) -> None:
        self.hub = Hub()
        self.backplane = MemoryBackplane(NODE)
        self.listeners = Listeners(open_redis(_NOBODY_LISTENS_TO_TOPICS, client_name=NODE), NODE)
        self.membership = Membership(self.hub, self.backplane, self.listeners)
        self.logs = ReplayLogs(keep_s=_LOG_S, max_bytes=_LOG_BYTES, now_s=time.monotonic)
        self.fanout = Fanout(
            self.hub,
            self.backplane,
            self.listeners,
            self.membership,
            Gaps(self.hub, self.membership, namespaces),
            self.logs,
            on_revoked=_nobody_is_revoked,
            on_orders_missed=_nobody_is_ordered,
            on_delivered=_nobody_counts,
            hearers={},
        )


def _nobody_is_revoked(_login_session_ids: Sequence[int]) -> None:
    return None


def _nobody_is_ordered(_user_id: int) -> None:
    return None


def _nobody_counts(_count: int) -> None:
    return None
