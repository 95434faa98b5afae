"""The backplane over Redis pub/sub."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import structlog
from redis.asyncio import Redis

from realtime.process.background_tasks import end_task
from realtime.pubsub.backplane import check_bodies
from realtime.pubsub.rooms import EVERY_NODE_CHANNEL, node_channel
from realtime.pubsub.subscriptions import Subscriptions
from realtime.redis.client import StoreUnavailable
from realtime.redis.pipelined_connection import PipelinedConnection

DEAF_AFTER_PROBES = 5
GIVE_UP_AFTER_PROBES = 3
"""After this many unheard probes the connection is taken for dead, though nobody has closed it."""
MAX_UNSURE_CHANNELS = 10_000

# No envelope begins with a zero byte: these two are never taken for a message.
_PROBE = b"\x00probe"
_MISSED = b"\x00gap"

log = structlog.get_logger(__name__)


class RedisBackplane:
    """A channel per room and one per node on Redis pub/sub; a node that has nobody for a message never sees it.

    A publish that failed leaves a debt: before this node publishes anything else, the subscribers of that channel, on
    all nodes, are told of a gap, also those whose own connection never broke.
    """

    def __init__(self, redis: Redis, node_id: str, *, probe_every_s: float = 1.0) -> None:
        self._node_id = node_id
        self._own_channel = node_channel(node_id)
        self._probe_every_s = probe_every_s
        self._subscriptions = Subscriptions(redis)
        self._publisher = PipelinedConnection(redis)
        self._unsure: set[str] = set()
        self._heard_at_s: float | None = None
        self._first_heard = asyncio.Event()
        self._probing: asyncio.Task[None] | None = None

    @property
    def node_id(self) -> str:
        return self._node_id

    @property
    def healthy(self) -> bool:
        return self._heard_at_s is not None and self._unheard_probes() < DEAF_AFTER_PROBES

    async def start(self, *, on_message: Callable[[str, bytes], None], on_missed: Callable[[str], None]) -> None:
        self._on_message = on_message
        self._on_missed = on_missed
        self._subscriptions.start(on_message=self._hear, on_missed=on_missed)
        confirmed = await self._subscriptions.subscribe(self._own_channel, EVERY_NODE_CHANNEL)
        self._probing = asyncio.create_task(self._probe(), name="backplane-probe")
        if confirmed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._first_heard.wait(), 1.0)

    async def stop(self) -> None:
        await end_task(self._probing)
        self._probing = None
        await self._subscriptions.stop()
        await self._publisher.stop()
        self._heard_at_s = None

    async def subscribe(self, *channels: str) -> bool:
        return await self._subscriptions.subscribe(*channels)

    async def unsubscribe(self, channel: str) -> None:
        self._subscriptions.unsubscribe(channel)

    async def publish(self, channel: str, body: bytes) -> bool:
        return await self.publish_many([(channel, body)])

    async def publish_many(self, messages: Sequence[tuple[str, bytes]]) -> bool:
        check_bodies(messages)
        return await self._send(messages)

    async def _send(self, messages: Sequence[tuple[str, bytes]]) -> bool:
        """Pays what is owed and sends the messages after it."""
        if self._publisher.is_away:
            self._owe_notices(messages)
            return False
        unsure, self._unsure = self._unsure, set()
        sent = [*((channel, _MISSED) for channel in sorted(unsure)), *messages]
        try:
            replies = await self._publisher.send_many([("PUBLISH", channel, body) for channel, body in sent])
        except StoreUnavailable:
            self._owe_notices(sent)
            return False
        refused = [(message, reply) for message, reply in zip(sent, replies, strict=True) if not isinstance(reply, int)]
        for (channel, _), reply in refused:
            log.error("publish_refused", channel=channel, error=str(reply))
        self._owe_notices([message for message, _ in refused])
        return not refused

    def _owe_notices(self, messages: Sequence[tuple[str, bytes]]) -> None:
        self._unsure.update(channel for channel, body in messages if body is not _PROBE)
        if len(self._unsure) > MAX_UNSURE_CHANNELS:
            self._unsure = {EVERY_NODE_CHANNEL}

    def _hear(self, channel: str, body: bytes) -> None:
        if not body.startswith(b"\x00"):
            self._on_message(channel, body)
        elif body == _PROBE:
            self._heard_at_s = asyncio.get_running_loop().time()
            self._first_heard.set()
        elif body == _MISSED:
            for missed in self._subscriptions.channels() if channel == EVERY_NODE_CHANNEL else [channel]:
                self._on_missed(missed)

    def _unheard_probes(self) -> float:
        return (asyncio.get_running_loop().time() - (self._heard_at_s or 0.0)) / self._probe_every_s

    async def _probe(self) -> None:
        """Asks itself each second whether it can be heard, and pays what is owed as soon as it can."""
        while True:
            await self._send([(self._own_channel, _PROBE)])
            if self._heard_at_s is not None and self._unheard_probes() >= GIVE_UP_AFTER_PROBES:
                self._subscriptions.reconnect()
            await asyncio.sleep(self._probe_every_s)
