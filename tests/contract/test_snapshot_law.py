"""The snapshot law: an earlier read, with the pushes since then applied, equals a new read."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest

from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.contract.reference_client import ReferenceClient
from tests.contract.world import World, make_world
from tests.handlers.chat.talk import delete_untold, edit_untold
from tests.kit.device import Device
from tests.kit.hearing import HeardPush
from tests.kit.server import Person, RunningServer, running_server, settings_for_tests

WITHIN_S = 10.0
LAWFUL_NAMESPACES = ("/chat", "/feed")
ALSO_LAWFUL = frozenset(
    {
        "post:create",
        "post:update",
        "post:delete",
        "post:hide",
        "comment:create",
        "comment:update",
        "comment:like",
        "comment:unlike",
        "comment:delete",
        "user:unfollow",
        "user:mute",
        "user:block",
        "user:unblock",
    }
)
SIGNS_OF_CAUTION = frozenset({"resync", "conversation:position"})
"""Pushes that ask to read again; where nothing was lost the law holds without that."""


class Watcher:
    """A device, and its person's state from the pushes that it received."""

    def __init__(self, person: Person, device: Device, client: ReferenceClient, post_id: str) -> None:
        self.person = person
        self._post_id = post_id
        self.device = device
        self._client = client
        self._applied = len(device.heard)

    @classmethod
    async def begin(cls, person: Person, server: RunningServer, post_id: str) -> Watcher:
        """Subscribes first and reads then: a push in between comes twice rather than never."""
        device = await server.device(person.access_token)
        await device.do("/feed", "feed:subscribe")
        await device.do("/posts", "post:watch", {"post_id": post_id})
        watcher = cls(person, device, await ReferenceClient.read(person, post_id), post_id)
        watcher._applied = 0
        return watcher

    @property
    def state(self) -> dict[str, Any]:
        self._apply_news()
        return self._client.state

    def _apply_news(self) -> None:
        heard, self._applied = self.device.heard[self._applied :], len(self.device.heard)
        for push in heard:
            if self._is_about_the_post(push):
                self._client.forget_post(self._post_id)
            elif push.name not in SIGNS_OF_CAUTION:
                self._client.apply(push.name, push.data)

    def _is_about_the_post(self, push: HeardPush) -> bool:
        """Whether it ends the watch of the post, which this person may not see any more, or has to watch again."""
        return push.name == RESYNC and push.data == {"scope": f"post:{self._post_id}"}

    async def fresh(self) -> ReferenceClient:
        """What a client has that reads everything now."""
        return await ReferenceClient.read(self.person, self._post_id)

    @property
    def order(self) -> list[str]:
        return self._client.order

    def names_of_news(self) -> list[str]:
        """Pushes received and not applied yet, without those that were in flight when it read."""
        return sorted(
            push.name
            for push in self.device.heard[self._applied :]
            if self._is_about_the_post(push)
            or (push.name not in SIGNS_OF_CAUTION and not self._client.knows(push.name, push.data))
        )

    def heard_seqs(self) -> dict[str, list[int]]:
        """The seqs of all messages received, by conversation, in the order in which they arrived."""
        seqs: dict[str, list[int]] = {}
        for push in self.device.heard:
            if push.name == SENT:
                seqs.setdefault(push.data["message"]["conversation_id"], []).append(push.data["message"]["seq"])
        return seqs

    async def until_told(self, count: int) -> None:
        async with asyncio.timeout(WITHIN_S):
            while len(self.names_of_news()) < count:
                await asyncio.sleep(0.005)

    async def reads_again(self) -> None:
        """Watches the post again if it may."""
        self._apply_news()
        await self.device.call("/posts", "post:watch", {"post_id": self._post_id})
        await self._client.read_post(self.person, self._post_id)

    async def catches_up(self) -> None:
        """Waits until its state equals a new read; reports the difference where it never does."""
        give_up_s = asyncio.get_running_loop().time() + WITHIN_S
        while self.state != (fresh := await self.fresh()).state:
            if asyncio.get_running_loop().time() > give_up_s:
                assert self.state == fresh.state
            await asyncio.sleep(0.02)


class Stage(NamedTuple):
    world: World
    conversation: dict[str, str]
    newcomer: Person
    watchers: list[Watcher]
    """Two devices of `me`, one of the friend and one of the newcomer."""


Act = Callable[[Stage], Awaitable[object]]
Pushes = tuple[str, ...]


class Deed(NamedTuple):
    """An action, and the pushes that each watcher gets for it."""

    do: Act
    me: Pushes
    friend: Pushes
    newcomer: Pushes = ()


async def send(stage: Stage) -> None:
    await stage.world.me.do("/chat", "message:send", {**stage.conversation, "text": "A message", "reply_to_seq": 1})


async def send_twice(stage: Stage) -> None:
    payload = {**stage.conversation, "text": "A message", "client_id": "once"}
    for _ in range(2):
        await stage.world.friend.do("/chat", "message:send", payload)


async def read(stage: Stage) -> None:
    await stage.world.me.do("/chat", "message:read", {**stage.conversation, "seq": 2})


async def read_less(stage: Stage) -> None:
    for seq in (3, 1):
        await stage.world.me.do("/chat", "message:read", {**stage.conversation, "seq": seq})


async def deliver(stage: Stage) -> None:
    await stage.world.me.do("/chat", "message:delivered", {**stage.conversation, "seq": 2})


async def open_new(stage: Stage) -> None:
    await stage.newcomer.do("/chat", "conversation:open", {"user_id": stage.world.me.id})


async def open_and_write(stage: Stage) -> None:
    opened = await stage.newcomer.do("/chat", "conversation:open", {"user_id": stage.world.me.id})
    payload = {"conversation_id": opened["conversation"]["id"], "text": "Hello"}
    for person in (stage.world.me, stage.newcomer):
        await person.do("/chat", "message:send", payload)


async def open_known(stage: Stage) -> None:
    await stage.world.me.do("/chat", "conversation:open", {"user_id": stage.world.friend.id})


async def write_to_known(stage: Stage) -> None:
    await stage.world.me.do("/chat", "message:write", {"user_id": stage.world.friend.id, "text": "A message"})


async def write_to_new(stage: Stage) -> None:
    await stage.newcomer.do("/chat", "message:write", {"user_id": stage.world.me.id, "text": "Hello"})


async def post(stage: Stage) -> None:
    await stage.world.me.do("/posts", "post:create", {"text": "News", "visibility": "followers"})


async def post_twice(stage: Stage) -> None:
    for _ in range(2):
        await stage.world.me.do("/posts", "post:create", {"link": "https://example.org/", "client_id": "once"})


async def edit(stage: Stage) -> None:
    for _ in range(2):
        await stage.world.me.do("/posts", "post:update", {"post_id": stage.world.values["post_id"], "text": "Edited"})


async def restrict(stage: Stage) -> None:
    change = {"sensitive": True, "replies": "mentioned", "text": f"#rooks for @{stage.newcomer.username}"}
    for _ in range(2):
        await stage.world.me.do("/posts", "post:update", {"post_id": stage.world.values["post_id"], **change})


async def hide(stage: Stage) -> None:
    for _ in range(2):
        await stage.world.me.do(
            "/posts", "post:update", {"post_id": stage.world.values["post_id"], "visibility": "private"}
        )


async def withhold(stage: Stage) -> None:
    for _ in range(2):
        await stage.world.me.do("/posts", "post:hide", {"post_id": stage.world.values["post_id"], "hidden": True})


async def withhold_and_show(stage: Stage) -> None:
    """A post that was hidden as soon as it was made."""
    written = await stage.world.me.do("/posts", "post:create", {"text": "Not yet", "visibility": "private"})
    named = {"post_id": written["post"]["id"]}
    for name, change in (("hide", {"hidden": True}), ("update", {"visibility": "public"}), ("hide", {"hidden": False})):
        await stage.world.me.do("/posts", f"post:{name}", {**named, **change})


async def show(stage: Stage) -> None:
    """A post that was private for as long as all watchers watch."""
    written = await stage.world.me.do("/posts", "post:create", {"text": "Not yet", "visibility": "private"})
    named = {"post_id": written["post"]["id"]}
    for change in ({"text": "Ready"}, {"visibility": "followers"}, {"visibility": "followers"}):
        await stage.world.me.do("/posts", "post:update", {**named, **change})


async def post_in_private(stage: Stage) -> None:
    written = await stage.world.me.do("/posts", "post:create", {"text": "To myself", "visibility": "private"})
    await stage.world.me.do("/posts", "post:update", {"post_id": written["post"]["id"], "text": "Edited"})


async def delete(stage: Stage) -> None:
    for _ in range(2):
        await stage.world.me.do("/posts", "post:delete", {"post_id": stage.world.values["post_id"]})


async def comment(stage: Stage) -> None:
    named = {"post_id": stage.world.values["post_id"], "client_id": "once"}
    for _ in range(2):
        await stage.world.friend.do("/posts", "comment:create", {**named, "text": "Well said"})
    reply = {**named, "parent_id": stage.world.values["comment_id"], "text": "Not so"}
    await stage.newcomer.do("/posts", "comment:create", reply)


async def edit_comment(stage: Stage) -> None:
    for text in ("Said", "Said", "Well said"):
        edit = {"comment_id": stage.world.values["comment_id"], "text": text}
        await stage.world.me.do("/posts", "comment:update", edit)


async def like_comment(stage: Stage) -> None:
    for person in (stage.world.friend, stage.newcomer):
        for _ in range(2):
            await person.do("/posts", "comment:like", {"comment_id": stage.world.values["comment_id"]})


async def unlike_comment(stage: Stage) -> None:
    await like_comment(stage)
    await stage.newcomer.do("/posts", "comment:unlike", {"comment_id": stage.world.values["comment_id"]})


async def delete_thread(stage: Stage) -> None:
    named = {"post_id": stage.world.values["post_id"], "parent_id": stage.world.values["comment_id"]}
    made = await stage.newcomer.do("/posts", "comment:create", {**named, "text": "Not so"})
    for comment_id in [stage.world.values["comment_id"]] * 2 + [made["comment"]["id"]]:
        await stage.world.me.do("/posts", "comment:delete", {"comment_id": comment_id})


async def unfollow(stage: Stage) -> None:
    for _ in range(2):
        await stage.newcomer.do("/users", "user:unfollow", {"user_id": stage.world.me.id})


async def mute(stage: Stage) -> None:
    for _ in range(2):
        await stage.newcomer.do("/users", "user:mute", {"user_id": stage.world.me.id})


async def block(stage: Stage) -> None:
    for _ in range(2):
        await stage.world.me.do("/users", "user:block", {"user_id": stage.newcomer.id})


async def unblock(stage: Stage) -> None:
    await block(stage)
    for _ in range(2):
        await stage.world.me.do("/users", "user:unblock", {"user_id": stage.newcomer.id})


SENT, RECEIPT, OPENED, POSTED = "message:created", "receipt:updated", "conversation:updated", "feed:new"
UPDATED, DELETED, REMOVED, RESYNC = "post:updated", "post:deleted", "feed:removed", "resync"
CHANGED = "collection:changed"
COMMENTED, REPHRASED, TAKEN_BACK = "comment:created", "comment:updated", "comment:deleted"
THREAD = (COMMENTED, TAKEN_BACK, TAKEN_BACK)
DEEDS: Mapping[str, Mapping[str, Deed]] = {
    "message:send": {"once": Deed(send, (SENT,), (SENT,)), "twice": Deed(send_twice, (SENT,), (SENT,))},
    "message:write": {
        "known": Deed(write_to_known, (SENT,), (SENT,)),
        "new": Deed(write_to_new, (OPENED, SENT), (), (OPENED, SENT)),
    },
    "message:read": {
        "further": Deed(read, (RECEIPT,), (RECEIPT,)),
        "and back": Deed(read_less, (RECEIPT,), (RECEIPT,)),
    },
    "message:delivered": {"further": Deed(deliver, (RECEIPT,), (RECEIPT,))},
    "conversation:open": {
        "new": Deed(open_new, (), (), (OPENED,)),
        "and write": Deed(open_and_write, (OPENED, SENT, SENT), (), (OPENED, SENT, SENT)),
        "known": Deed(open_known, (), ()),
    },
    "post:create": {
        "once": Deed(post, (), (POSTED,), (POSTED,)),
        "twice": Deed(post_twice, (), (POSTED,), (POSTED,)),
        "in private": Deed(post_in_private, (), ()),
    },
    "post:update": {
        "twice": Deed(edit, (UPDATED,), (UPDATED,) * 2, (UPDATED,) * 2),
        "restrict": Deed(restrict, (UPDATED,), (UPDATED,) * 2, (UPDATED,) * 2),
        "hide": Deed(hide, (RESYNC,), (REMOVED, RESYNC), (REMOVED, RESYNC)),
        "show": Deed(show, (), (POSTED,), (POSTED,)),
    },
    "post:hide": {
        "twice": Deed(withhold, (RESYNC,), (REMOVED, RESYNC), (REMOVED, RESYNC)),
        "and show": Deed(withhold_and_show, (), (POSTED,), (POSTED,)),
    },
    "post:delete": {"twice": Deed(delete, (DELETED,), (DELETED,) * 2, (DELETED,) * 2)},
    "comment:create": {"and reply": Deed(comment, (COMMENTED,) * 2, (COMMENTED,) * 2, (COMMENTED,) * 2)},
    "comment:update": {"twice": Deed(edit_comment, (REPHRASED,) * 2, (REPHRASED,) * 2, (REPHRASED,) * 2)},
    "comment:like": {"twice": Deed(like_comment, (), ())},
    "comment:unlike": {"of one": Deed(unlike_comment, (), ())},
    "comment:delete": {"thread": Deed(delete_thread, THREAD, THREAD, THREAD)},
    "user:unfollow": {"twice": Deed(unfollow, (), (), (REMOVED, CHANGED))},
    "user:mute": {"twice": Deed(mute, (), (), (REMOVED, CHANGED))},
    "user:block": {"twice": Deed(block, (REMOVED, CHANGED), (), (REMOVED, RESYNC, CHANGED))},
    "user:unblock": {"twice": Deed(unblock, (REMOVED, CHANGED, CHANGED), (), (REMOVED, RESYNC, CHANGED))},
}
CASES = [(name, way) for name, ways in DEEDS.items() for way in ways]


def test_every_command_that_changes_chat_or_feed_is_under_the_law() -> None:
    commands = [bound.command for bound in Registry(FEATURES).commands()]
    changing = {
        command.name for command in commands if command.writes and command.namespace in LAWFUL_NAMESPACES
    } | ALSO_LAWFUL
    assert set(DEEDS) == changing


@pytest.mark.parametrize(("name", "way"), CASES)
async def test_what_was_known_and_what_was_told_is_what_is(server: RunningServer, name: str, way: str) -> None:
    deed = DEEDS[name][way]
    stage = await set_stage(server, server, f"law.{CASES.index((name, way))}")
    before = [watcher.state for watcher in stage.watchers]
    assert all(state["feed"] or state["conversations"] for state in before)
    await deed.do(stage)
    expected = [deed.me, deed.me, deed.friend, deed.newcomer]
    for watcher, names in zip(stage.watchers, expected, strict=True):
        await watcher.until_told(len(names))
        assert watcher.names_of_news() == sorted(names)
        if RESYNC in names:
            await watcher.reads_again()
        fresh = await watcher.fresh()
        assert (watcher.state, watcher.order) == (fresh.state, fresh.order)
        assert all(seqs == sorted(seqs) for seqs in watcher.heard_seqs().values()), "sent one after the other"


async def test_messages_sent_at_the_same_time_may_arrive_in_any_order(server: RunningServer) -> None:
    stage = await set_stage(server, server, "law.order")
    watcher = stage.watchers[0]
    before = await watcher.fresh()
    for person in (stage.world.me, stage.world.friend, stage.world.me):
        await person.do("/chat", "message:send", {**stage.conversation, "text": "A message"})
    await watcher.until_told(3)
    for push in reversed(watcher.device.heard[-3:]):
        before.apply(push.name, push.data)
    assert before.state == (await watcher.fresh()).state


async def test_a_lost_push_of_a_conversation_leaves_a_hole_that_chat_sync_fills(
    server: RunningServer, database_url: str
) -> None:
    stage = await set_stage(server, server, "law.hole")
    watcher = stage.watchers[0]
    before = await watcher.fresh()
    for person in (stage.world.me, stage.world.friend, stage.world.me):
        await person.do("/chat", "message:send", {**stage.conversation, "text": "A message"})
    await edit_untold(database_url, stage.conversation["conversation_id"], 2, "Edited")
    await delete_untold(database_url, stage.conversation["conversation_id"], 3)
    await stage.world.friend.do("/chat", "message:send", {**stage.conversation, "text": "The last one"})
    await watcher.until_told(4)
    first, _, third, last = (push for push in watcher.device.heard if push.name == SENT)
    before.apply(first.name, first.data)
    assert before.holes == set()
    for push in (third, last):
        before.apply(push.name, push.data)
    assert before.holes == {stage.conversation["conversation_id"]}
    await before.heal(stage.world.me)
    assert before.holes == set()
    assert _without_deleted(before) == _without_deleted(await watcher.fresh())


def _without_deleted(client: ReferenceClient) -> dict[str, Any]:
    """A deleted message keeps its place in lists, and is told by its seq alone."""
    shown = {
        name: [message for message in messages if "deleted" not in message]
        for name, messages in client.state["messages"].items()
    }
    return {**client.state, "messages": shown}


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_done_on_two_nodes(database_url: str, redis_url: str, seed: int) -> None:
    chance = random.Random(seed)
    async with two_nodes(database_url, redis_url) as (one, other):
        stage = await set_stage(one, other, f"many.{seed}")
        people = [stage.world.me, stage.world.friend, stage.newcomer]

        async def act(person: Person) -> None:
            seq = chance.randrange(4)
            somebody = chance.choice([one for one in people if one is not person])
            match chance.randrange(5):
                case 0:
                    await person.do("/posts", "post:create", {"text": f"News {chance.random()}"})
                case 1 if person is not stage.newcomer:
                    await person.do("/chat", "message:read", {**stage.conversation, "seq": seq})
                case 2 if person is not stage.newcomer:
                    await person.do("/chat", "message:delivered", {**stage.conversation, "seq": seq})
                case 3:
                    await person.do("/chat", "conversation:open", {"user_id": somebody.id})
                case _ if person is not stage.newcomer:
                    await person.do("/chat", "message:send", {**stage.conversation, "text": f"{chance.random()}"})

        for _ in range(15):
            await asyncio.gather(*(act(person) for person in people))
        for watcher in stage.watchers:
            await watcher.catches_up()


@asynccontextmanager
async def two_nodes(database_url: str, redis_url: str) -> AsyncIterator[tuple[RunningServer, RunningServer]]:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as one, running_server(settings) as other:
        yield one, other


async def set_stage(server: RunningServer, elsewhere: RunningServer, prefix: str) -> Stage:
    """All people follow each other; `me` and the friend have a conversation with messages; all feeds have posts."""
    world = await make_world(server, prefix)
    newcomer = await server.person(f"{prefix}.newcomer")
    people = [world.me, world.friend, newcomer]
    for person in people:
        for other in people:
            if other is not person:
                await person.do("/users", "user:follow", {"user_id": other.id})
        await person.do("/posts", "post:create", {"text": "Before"})
    conversation = {"conversation_id": world.values["conversation_id"]}
    for text in ("One", "Two", "Three"):
        await world.friend.do("/chat", "message:send", {**conversation, "text": text})
    places = [(world.me, server), (world.me, elsewhere), (world.friend, elsewhere), (newcomer, server)]
    post_id = world.values["post_id"]
    watchers = [await Watcher.begin(person, place, post_id) for person, place in places]
    for watcher in watchers:
        await watcher.catches_up()
    return Stage(world, conversation, newcomer, watchers)
