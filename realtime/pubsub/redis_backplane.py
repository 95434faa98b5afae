"""The backplane over Redis pub/sub."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Sequence

import structlog
from redis.asyncio import Redis

from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog
from realtime.process.stall_tolerant_timeout import stall_tolerant_timeout
from realtime.pubsub.backplane import check_bodies
from realtime.pubsub.room_names import EVERY_NODE_CHANNEL, node_channel
from realtime.pubsub.subscriptions import Subscriptions
from realtime.redis.client import StoreRefuses, StoreUnavailable
from realtime.redis.pipelined_connection import PipelinedConnection

UNHEALTHY_AFTER_PROBES = 5
RECONNECT_AFTER_PROBES = 3
"""After this many probes that did not arrive the connection counts as dead, though nobody has closed it."""
MAX_UNCONFIRMED_CHANNELS = 10_000
BARRIER_WITHIN_S = 1.0
"""Time in which this node was too busy to see the answer does not count: many clients may come back at once."""

# No envelope begins with a zero byte: neither of these is taken for a message.
_PROBE = b"\x00probe"
_MISSED = b"\x00missed"
_BARRIER = b"\x00barrier"

log = structlog.get_logger(__name__)


class RedisBackplane:
    """A channel per room and one per node on Redis pub/sub; a node without subscribers for a message never sees it.

    After a publish that was not confirmed, the subscribers of its channel on all nodes are notified that they may have
    missed a message, also those whose own connection never broke. That notice goes out before this node publishes
    anything else. Where the server refuses to work this node subscribes anew as soon as it works again: a replica may
    have become the primary, and have carried messages meanwhile.
    """

    def __init__(self, redis: Redis, node_id: str, *, probe_every_s: float = 1.0) -> None:
        self._node_id = node_id
        self._own_channel = node_channel(node_id)
        self._probe_every_s = probe_every_s
        self._subscriptions = Subscriptions(redis)
        self._publisher = PipelinedConnection(redis)
        self._unconfirmed_channels: set[str] = set()
        self._probe_received_at_s: float | None = None
        self._reconnected_at_s = float("-inf")
        self._first_probe_received = asyncio.Event()
        self._probe_task: asyncio.Task[None] | None = None
        self._outage = OutageLog(log, "redis_away")
        self._barrier_numbers = itertools.count()
        self._barriers: dict[bytes, asyncio.Future[None]] = {}

    @property
    def node_id(self) -> str:
        return self._node_id

    @property
    def problem(self) -> str | None:
        if isinstance(self._publisher.away, StoreRefuses):
            return f"Redis refuses to work: {self._publisher.away}"
        if self._probe_received_at_s is None or self._probes_missing() >= UNHEALTHY_AFTER_PROBES:
            return "this node does not hear itself over Redis"
        return None

    async def start(self, *, on_message: Callable[[str, bytes], None], on_missed: Callable[[str], None]) -> None:
        self._on_message = on_message
        self._on_missed = on_missed
        self._subscriptions.start(on_message=self._receive, on_missed=on_missed)
        confirmed = await self._subscriptions.subscribe(self._own_channel, EVERY_NODE_CHANNEL)
        self._probe_task = asyncio.create_task(self._probe(), name="backplane-probe")
        if confirmed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._first_probe_received.wait(), 1.0)

    async def stop(self) -> None:
        await end_task(self._probe_task)
        self._probe_task = None
        await self._subscriptions.stop()
        await self._publisher.stop()
        self._probe_received_at_s = None

    async def subscribe(self, *channels: str) -> bool:
        return await self._subscriptions.subscribe(*channels)

    async def unsubscribe(self, channel: str) -> None:
        self._subscriptions.unsubscribe(channel)

    async def barrier(self) -> bool:
        body = _BARRIER + b"%d" % next(self._barrier_numbers)
        passed = self._barriers[body] = asyncio.get_running_loop().create_future()
        try:
            async with stall_tolerant_timeout(BARRIER_WITHIN_S):
                if not await self._send([(self._own_channel, body)]):
                    return False
                await passed
        except TimeoutError:
            return False
        finally:
            del self._barriers[body]
        # Else the connection is new, and what it has missed is yet to be reported.
        return self._subscriptions.is_subscribed(EVERY_NODE_CHANNEL)

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> bool:
        check_bodies(messages)
        return await self._send(messages)

    async def _send(self, messages: Sequence[tuple[str, bytes]]) -> bool:
        """Sends the notices for unconfirmed channels and the messages after them."""
        if self._publisher.away is not None:
            self._note_unconfirmed(messages)
            return False
        to_notify, self._unconfirmed_channels = self._unconfirmed_channels, set()
        sent = [*((channel, _MISSED) for channel in sorted(to_notify)), *messages]
        try:
            replies = await self._publisher.send_many([("PUBLISH", channel, body) for channel, body in sent])
        except StoreUnavailable as error:
            self._outage.failed(error)
            if isinstance(error, StoreRefuses):
                self._subscriptions.reconnect()
            self._note_unconfirmed(sent)
            return False
        except asyncio.CancelledError:
            self._note_unconfirmed(sent)  # it may not have been carried out
            raise
        self._outage.succeeded()
        refused = [(message, reply) for message, reply in zip(sent, replies, strict=True) if not isinstance(reply, int)]
        for (channel, _), reply in refused:
            log.error("publish_refused", channel=channel, error=str(reply))
        self._note_unconfirmed([message for message, _ in refused])
        return not refused

    def _note_unconfirmed(self, messages: Sequence[tuple[str, bytes]]) -> None:
        self._unconfirmed_channels.update(
            channel for channel, body in messages if body is not _PROBE and not body.startswith(_BARRIER)
        )
        if len(self._unconfirmed_channels) > MAX_UNCONFIRMED_CHANNELS:
            self._unconfirmed_channels = {EVERY_NODE_CHANNEL}

    def _receive(self, channel: str, body: bytes) -> None:
        if not body.startswith(b"\x00"):
            self._on_message(channel, body)
        elif body == _PROBE:
            self._probe_received_at_s = asyncio.get_running_loop().time()
            self._first_probe_received.set()
        elif (passed := self._barriers.get(body)) is not None:
            if not passed.done():
                passed.set_result(None)
        elif body == _MISSED:
            # On the channel of all nodes it stands for every channel.
            for missed in self._subscriptions.channels() if channel == EVERY_NODE_CHANNEL else [channel]:
                self._on_missed(missed)

    def _probes_missing(self) -> float:
        return (asyncio.get_running_loop().time() - (self._probe_received_at_s or 0.0)) / self._probe_every_s

    def _reconnect_if_deaf(self, since_s: float) -> None:
        """A connection gets the same time to receive a probe as the one before it: else each would be given up too."""
        now_s = asyncio.get_running_loop().time()
        if now_s - since_s >= RECONNECT_AFTER_PROBES * self._probe_every_s:
            self._reconnected_at_s = now_s
            self._subscriptions.reconnect()

    async def _probe(self) -> None:
        """Publishes a probe to this node's own channel at each interval, and with it the notices that are due."""
        while True:
            await self._send([(self._own_channel, _PROBE)])
            if self._probe_received_at_s is not None:
                self._reconnect_if_deaf(max(self._probe_received_at_s, self._reconnected_at_s))
            await asyncio.sleep(self._probe_every_s)
