"""What the people of a journey do, chosen by a seeded generator: each one thing at a time, many people at once."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tests.journeys.book import CHAT, Book, said
from tests.journeys.checks import Published
from tests.journeys.crowd import Friends, Member
from tests.journeys.record import Record
from tests.journeys.relations import Kind

POSTS, USERS, FEED = "/posts", "/users", "/feed"
_AT_ONCE = 12
_RECENT = 30
_TALKS = 40
_TURBULENT = 8
_ATTEND_EVERY_S = 0.25
_CHANGES: Mapping[str, Sequence[Kind]] = {
    "blocks": ("unblock", "unblock", "unblock", "follow"),
    "follows": ("unfollow", "unfollow", "block"),
    "nothing": ("follow", "follow", "follow", "follow", "block"),
}


class Play:
    """Records everything as it was answered. `act` may run once."""

    def __init__(self, members: Sequence[Member], friends: Friends, record: Record, *, seed: int) -> None:
        self._members = members
        self._record = record
        self._random = random.Random(seed)
        by_number = {member.number: member for member in members}
        pairs = [
            (one, by_number[number])
            for one in members
            for number in sorted(friends[one.number] & by_number.keys())
            if one.number < number
        ]
        # Some pairs write to each other; some of these also block and unblock each other, and post more than others.
        self._talks = self._random.sample(pairs, _TALKS)
        self._turbulent = self._talks[:_TURBULENT]
        self._busy_pairs: set[frozenset[str]] = set()
        self._recent: list[str] = []
        self._numbers = itertools.count(1)
        self.books = {member: Book(member) for member in members}
        self._ways: list[tuple[Callable[[Member], Awaitable[None]], int]] = [
            (self._post, 12),
            (self._like, 26),
            (self._unlike, 8),
            (self._comment, 12),
            (self._relate, 15),
            (self._talk, 18),
            (self._read_messages, 6),
            (self._read_feed, 6),
        ]

    def turbulent(self) -> list[Member]:
        """The people whose relations changed."""
        return list(dict.fromkeys(member for pair in self._turbulent for member in pair))

    async def act(self, *, seconds: float, actions_per_s: float) -> None:
        """Lets all people act for this long, then waits for the last answers."""
        doers, weights = zip(*self._ways, strict=True)
        loop = asyncio.get_running_loop()
        started_s, places = loop.time(), asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            attending = group.create_task(self._attend())
            async with asyncio.TaskGroup() as acts:
                for number in range(int(seconds * actions_per_s)):
                    await asyncio.sleep(max(0.0, started_s + number / actions_per_s - loop.time()))
                    await places.acquire()
                    member = self._random.choice([member for member in self._members if not member.busy.locked()])
                    (do,) = self._random.choices(doers, weights)
                    await member.busy.acquire()
                    act = acts.create_task(do(member))
                    act.add_done_callback(partial(_free, member, places))
            attending.cancel()

    async def _attend(self) -> None:
        while True:
            await asyncio.sleep(_ATTEND_EVERY_S)
            for book in self.books.values():
                await book.attend()

    async def _call(
        self, member: Member, namespace: str, name: str, payload: dict[str, Any]
    ) -> tuple[dict[str, Any], float, float]:
        """The answer, and the moments between which the command had its effect."""
        loop = asyncio.get_running_loop()
        sent_at_s = loop.time()
        answer = await member.device.call(namespace, name, payload)
        return answer, sent_at_s, loop.time()

    async def _post(self, member: Member) -> None:
        if self._random.random() < 0.4:
            member, _ = self._choose_pair(self._turbulent)
        text, is_public = f"Post {next(self._numbers)} of this journey", self._random.random() < 0.8
        payload = {
            "text": text,
            "client_id": text,
            "visibility": "public" if is_public else "followers",
        }
        is_repeated = self._random.random() < 0.2
        answer, sent_at_s, _ = await self._call(member, POSTS, "post:create", payload)
        if not self._record.judge(f"post:create by {member.id}", answer, {True}, ""):
            return
        post_id = answer["data"]["post"]["id"]
        self._record.posts[post_id] = Published(post_id, member.id, text, sent_at_s)
        if not is_public:
            self._record.followers_only.add(post_id)
        self._recent = [*self._recent, post_id][-_RECENT:]
        if is_repeated:
            again, _, _ = await self._call(member, POSTS, "post:create", payload)
            if not again["ok"] or again["data"]["post"]["id"] != post_id:
                self._record.complaints.append(f"a repeated post:create was answered {again}")

    async def _like(self, member: Member) -> None:
        await self._set_like(member, "post:like")

    async def _unlike(self, member: Member) -> None:
        await self._set_like(member, "post:unlike")

    async def _set_like(self, member: Member, name: str) -> None:
        post_id = self._choose_post(member, liked=name == "post:unlike")
        if post_id is None:
            return
        answer, sent_at_s, acked_at_s = await self._call(member, POSTS, name, {"post_id": post_id})
        allowed = {True} if name == "post:unlike" else self._may_see(member, post_id, sent_at_s, acked_at_s)
        if self._record.judge(f"{name} of {post_id} by {member.id}", answer, allowed, "not_found"):
            self._record.likes[post_id, member.id] = answer["data"]["liked"]

    async def _comment(self, member: Member) -> None:
        post_id = self._choose_post(member, liked=False)
        if post_id is None:
            return
        text = f"Comment {next(self._numbers)}"
        payload = {"post_id": post_id, "text": text, "client_id": text}
        answer, sent_at_s, acked_at_s = await self._call(member, POSTS, "comment:create", payload)
        allowed = self._may_see(member, post_id, sent_at_s, acked_at_s)
        if self._record.judge(f"comment:create on {post_id} by {member.id}", answer, allowed, "not_found"):
            self._record.comments[answer["data"]["comment"]["id"]] = (post_id, member.id, text)

    def _choose_pair(self, pairs: Sequence[tuple[Member, Member]]) -> tuple[Member, Member]:
        """A pair, in either order."""
        one, other = self._random.choice(pairs)
        return (one, other) if self._random.random() < 0.5 else (other, one)

    def _choose_post(self, member: Member, *, liked: bool) -> str | None:
        mine = [
            post_id for (post_id, person), is_liked in self._record.likes.items() if is_liked and person == member.id
        ]
        candidates = mine if liked and mine else self._recent
        return self._random.choice(candidates) if candidates else None

    def _may_see(self, member: Member, post_id: str, from_s: float, to_s: float) -> set[bool]:
        author, relations = self._record.posts[post_id].author, self._record.relations
        if author == member.id:
            return {True}
        if post_id in self._record.followers_only:
            return relations.hears(member.id, author, from_s, to_s)
        return {not is_blocked for is_blocked in relations.blocked(member.id, author, from_s, to_s)}

    async def _relate(self, member: Member) -> None:
        """Two people change their relation, one change at a time."""
        member, other = self._choose_pair(self._turbulent)
        pair = frozenset((member.id, other.id))
        if pair in self._busy_pairs:
            return
        self._busy_pairs.add(pair)
        try:
            if self._random.random() < 0.3:
                await asyncio.gather(self._change_relation(member, other), self._post(other))
            else:
                await self._change_relation(member, other)
        finally:
            self._busy_pairs.discard(pair)

    async def _change_relation(self, member: Member, other: Member) -> None:
        relations, now_s = self._record.relations, asyncio.get_running_loop().time()
        (blocks,) = relations.blocks(member.id, other.id, now_s, now_s)
        (is_blocked,) = relations.blocks(other.id, member.id, now_s, now_s)
        (follows,) = relations.follows(member.id, other.id, now_s, now_s)
        kind = self._random.choice(_CHANGES["blocks" if blocks else "follows" if follows else "nothing"])
        answer, sent_at_s, acked_at_s = await self._call(member, USERS, f"user:{kind}", {"user_id": other.id})
        code = "conflict" if blocks and kind == "follow" and not is_blocked else "not_found"
        allowed = {kind != "follow" or (not is_blocked and not blocks)}
        if self._record.judge(f"user:{kind} of {other.id} by {member.id}", answer, allowed, code):
            relations.change(kind, member.id, other.id, sent_at_s=sent_at_s, acked_at_s=acked_at_s)

    async def _talk(self, member: Member) -> None:
        """Continues one of the conversations; `member` need not be in it."""
        sender, hearer = self._choose_pair(self._turbulent if self._random.random() < 0.4 else self._talks)
        opened, sent_at_s, acked_at_s = await self._call(sender, CHAT, "conversation:open", {"user_id": hearer.id})
        if not opened["ok"]:
            blocked = self._record.relations.blocked(sender.id, hearer.id, sent_at_s, acked_at_s)
            may_open = {not is_blocked for is_blocked in blocked}
            code = opened["error"]["code"] if opened["error"]["code"] in ("not_found", "forbidden") else "not_found"
            self._record.judge(f"conversation:open with {hearer.id} by {sender.id}", opened, may_open, code)
            return
        conversation_id, text = opened["data"]["conversation"]["id"], f"Message {next(self._numbers)}"
        payload = {"conversation_id": conversation_id, "text": text, "client_id": text}
        answer, sent_at_s, acked_at_s = await self._call(sender, CHAT, "message:send", payload)
        blocked = self._record.relations.blocked(sender.id, hearer.id, sent_at_s, acked_at_s)
        allowed = {not is_blocked for is_blocked in blocked}
        if not self._record.judge(f"message:send to {hearer.id} by {sender.id}", answer, allowed, "forbidden"):
            return
        message = said(answer["data"]["message"])
        self._record.messages[conversation_id, message.seq] = message
        self._record.sending[conversation_id, message.seq] = (sent_at_s, acked_at_s)
        if (message.sender, message.text) != (sender.id, text):
            self._record.complaints.append(f"a message was answered as {message}")
        if self._random.random() < 0.2:
            again, _, _ = await self._call(sender, CHAT, "message:send", payload)
            if not again["ok"] or said(again["data"]["message"]) != message:
                self._record.complaints.append(f"a repeated message:send was answered {again}")

    async def _read_messages(self, member: Member) -> None:
        reader, _ = self._choose_pair(self._talks)
        known = {key: said for key, said in self.books[reader].conversations.items() if said}
        if not known:
            return
        conversation_id = self._random.choice(sorted(known))
        seq = self._random.randint(1, len(known[conversation_id]))
        payload = {"conversation_id": conversation_id, "seq": seq}
        answer, _, _ = await self._call(reader, CHAT, "message:read", payload)
        if self._record.judge(f"message:read by {reader.id}", answer, {True}, ""):
            key = (conversation_id, reader.id)
            self._record.reads[key] = max(seq, self._record.reads.get(key, 0))

    async def _read_feed(self, member: Member) -> None:
        """Reads two pages while posts arrive: in order, and nothing twice."""
        first = await member.device.do(FEED, "feed:page", {"limit": 15})
        second = await member.device.do(FEED, "feed:page", {"limit": 15, "before": first["next_cursor"]})
        ids = [int(post["id"]) for post in first["items"] + second["items"]]
        if len(ids) != 30 or ids != sorted(set(ids), reverse=True):
            self._record.complaints.append(f"two pages of the feed of {member.id} are {ids}")


def _free(member: Member, places: asyncio.Semaphore, _: asyncio.Task[None]) -> None:
    member.busy.release()
    places.release()
