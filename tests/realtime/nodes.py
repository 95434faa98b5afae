"""Nodes that reach each other over a real Valkey, with sessions that record what they receive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from redis.asyncio import Redis

from realtime.contract.connection_pushes import RESYNC
from realtime.contract.declarations import Push
from realtime.contract.emissions import Emission, ToRoom, ToTopic, emission
from realtime.contract.wire import Model
from realtime.engine.hub import Hub
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.replay.replay_log import ReplayLogs
from realtime.pubsub.fanout import Fanout
from realtime.pubsub.membership import Membership
from realtime.pubsub.redis_backplane import RedisBackplane
from realtime.pubsub.resync_notifier import ResyncNotifier
from realtime.pubsub.topic_registry import TopicRegistry
from realtime.redis.client import open_redis
from tests.kit.recording_session import RecordingSession

HANDLED_CHANNEL = "handled"
NAMESPACES = ("/one", "/two")
TOPIC = "news"
EDITED = "edited"


class Said(Model):
    text: str


SAID = Push(name="said", namespace="/one", model=Said, audience="Whoever is there.")


class RecordingMember(RecordingSession):
    """A session whose pushes can be waited for."""

    def __init__(self, namespace: str = "/one") -> None:
        super().__init__(namespace)
        self._news = asyncio.Event()

    def deliver(self, push: EncodedPush) -> None:
        super().deliver(push)
        self._news.set()

    @property
    def texts(self) -> list[str]:
        return [data["text"] for event, data in self.heard if event == SAID.name]

    @property
    def scopes(self) -> list[str]:
        return [data["scope"] for event, data in self.heard if event == RESYNC.name]

    async def until(self, condition: Callable[[], bool], within_s: float = 10.0) -> None:
        """Waits until a push makes the condition true."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def until_text(self, text: str) -> None:
        await self.until(lambda: text in self.texts)

    async def until_count(self, texts: int) -> None:
        await self.until(lambda: len(self.texts) >= texts)

    async def until_resync(self) -> None:
        await self.until(lambda: bool(self.scopes))


class LabNode:
    """All of a node between its publishers and its sessions."""

    def __init__(self, redis: Redis, node_id: str, *, registry: Redis | None = None) -> None:
        self.redis = redis
        self.hub = Hub()
        self.backplane = RedisBackplane(redis, node_id, probe_every_s=0.1)
        self.topic_registry = TopicRegistry(registry or redis, node_id)
        self.membership = Membership(self.hub, self.backplane, self.topic_registry)
        self.resync_notifier = ResyncNotifier(self.hub, self.membership, NAMESPACES)
        self.logs = ReplayLogs(keep_s=60, max_bytes=1_000_000, now_s=asyncio.get_running_loop().time)
        self.revoked: list[int] = []
        self.joins_missed: list[int] = []
        self.handled: list[bytes | None] = []
        """Messages of HANDLED_CHANNEL; None: some may have been missed."""
        self.delivered = 0
        self.fanout = Fanout(
            self.hub,
            self.backplane,
            self.topic_registry,
            self.membership,
            self.resync_notifier,
            self.logs,
            on_revoked=self._note_revoked,
            on_joins_missed=self.joins_missed.append,
            on_delivered=self._count,
            channel_handlers={HANDLED_CHANNEL: self},
            of_every_version=frozenset({EDITED}),
        )

    def on_message(self, body: bytes) -> None:
        self.handled.append(body)

    def on_missed(self) -> None:
        self.handled.append(None)

    def _count(self, sessions: int) -> None:
        self.delivered += sessions

    def _note_revoked(self, login_session_ids: Sequence[int]) -> None:
        """An id may come twice: at once on the publishing node, and when the message comes back to it."""
        known = set(self.revoked)
        self.revoked += [one for one in login_session_ids if one not in known]

    async def session(self, *rooms: str, namespace: str = "/one", subscribes_as: Sequence[int] = ()) -> RecordingMember:
        """A new session in these rooms that subscribes the topic as these users."""
        member = RecordingMember(namespace)
        self.membership.add_session(member)
        for room in rooms:
            await self.membership.join(member, room)
        for user_id in subscribes_as:
            await self.membership.subscribe(member, TOPIC, user_id)
        return member

    async def say(self, text: str, to: str | Sequence[int]) -> None:
        """Publishes to a room, or to those of these users who subscribe the topic."""
        await self.fanout.publish([said(text, to)])

    async def jobs_are_done(self) -> None:
        done = asyncio.Event()

        async def set_done() -> None:
            done.set()

        self.membership.run_later(set_done)
        async with asyncio.timeout(10):
            await done.wait()


def said(text: str, to: str | Sequence[int]) -> Emission:
    return emission(SAID, Said(text=text), ToRoom(to) if isinstance(to, str) else ToTopic(TOPIC, to))


@asynccontextmanager
async def running_nodes(redis_url: str, *node_ids: str) -> AsyncIterator[list[LabNode]]:
    """Started nodes, each with connections of its own; stopped afterwards."""
    async with AsyncExitStack() as stack:
        nodes = []
        for node_id in node_ids:
            redis = open_redis(redis_url, client_name=node_id)
            stack.push_async_callback(redis.aclose)
            node = LabNode(redis, node_id)
            await node.fanout.start()
            stack.push_async_callback(node.fanout.stop)
            nodes.append(node)
        yield nodes
