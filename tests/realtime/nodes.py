"""Nodes that reach each other over a real Valkey, with sessions that write down what they hear."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from redis.asyncio import Redis

from realtime.contract.declarations import Push
from realtime.contract.emissions import Emission, ToRoom, ToTopic, emission
from realtime.contract.wire import Model
from realtime.engine.hub import Hub
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.replay.replay_log import ReplayLogs
from realtime.pubsub.fanout import Fanout
from realtime.pubsub.membership import Membership
from realtime.pubsub.redis_backplane import RedisBackplane
from realtime.pubsub.resync_notifier import RESYNC_EVENT, ResyncNotifier
from realtime.pubsub.topic_registry import TopicRegistry
from realtime.redis.client import open_redis
from tests.kit.recording_session import RecordingSession

OWN_CHANNEL = "hearer"
NAMESPACES = ("/one", "/two")
TOPIC = "news"


class Said(Model):
    text: str


SAID = Push(name="said", namespace="/one", model=Said, audience="Whoever is there.")


class RecordingMember(RecordingSession):
    """A session whose news can be waited for."""

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
        return [data["scope"] for event, data in self.heard if event == RESYNC_EVENT]

    async def until(self, condition: Callable[[], bool], within_s: float = 10.0) -> None:
        """Waits for something to become true through what is heard."""
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
        self.hub = Hub()
        self.backplane = RedisBackplane(redis, node_id, probe_every_s=0.1)
        self.topic_registry = TopicRegistry(registry or redis, node_id)
        self.membership = Membership(self.hub, self.backplane, self.topic_registry)
        self.resync_notifier = ResyncNotifier(self.hub, self.membership, NAMESPACES)
        self.logs = ReplayLogs(keep_s=60, max_bytes=1_000_000, now_s=asyncio.get_running_loop().time)
        self.revoked: list[int] = []
        self.unordered: list[int] = []
        self.heard_apart: list[bytes | None] = []
        self.delivered = 0
        self.fanout = Fanout(
            self.hub,
            self.backplane,
            self.topic_registry,
            self.membership,
            self.resync_notifier,
            self.logs,
            on_revoked=self._note_revoked,
            on_orders_missed=self.unordered.append,
            on_delivered=self._count,
            hearers={OWN_CHANNEL: self},
        )

    def hear(self, body: bytes) -> None:
        self.heard_apart.append(body)

    def missed(self) -> None:
        self.heard_apart.append(None)

    def _count(self, sessions: int) -> None:
        self.delivered += sessions

    def _note_revoked(self, login_session_ids: Sequence[int]) -> None:
        """Each may be heard more than once: by the node that ends a login, and when the order comes back to it."""
        known = set(self.revoked)
        self.revoked += [one for one in login_session_ids if one not in known]

    async def session(self, *rooms: str, namespace: str = "/one", hears: Sequence[int] = ()) -> RecordingMember:
        """A new one, in these rooms, that hears the topic as these people."""
        member = RecordingMember(namespace)
        self.membership.admit(member)
        for room in rooms:
            await self.membership.enter(member, room)
        for user_id in hears:
            await self.membership.listen(member, TOPIC, user_id)
        return member

    async def say(self, text: str, to: str | Sequence[int]) -> None:
        """To a room, or to those of these people who hear the topic."""
        await self.fanout.publish([said(text, to)])

    async def chores_are_done(self) -> None:
        done = asyncio.Event()

        async def tell() -> None:
            done.set()

        self.membership.later(tell)
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
