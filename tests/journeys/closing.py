"""The final checks when all activity has ended: compares what clients received and are shown with the rows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from tests.journeys.book import CHAT, Book, said
from tests.journeys.checks import (
    Delivery,
    DeliveryReport,
    Said,
    check_conversation,
    check_deliveries,
    check_equal,
    check_live,
)
from tests.journeys.crowd import Member
from tests.journeys.record import Record
from tests.journeys.relations import Relations
from tests.journeys.rest_device import RestDevice
from tests.journeys.rows import Rows

FEED = "/feed"
_AT_ONCE = 8
_QUIET_S = 0.5
_QUIET_TIMEOUT_S = 60.0
_PAGE_SIZES = (7, 20, 50, 100)


async def settle(rows: Rows, members: Sequence[Member]) -> None:
    """Waits until every Fact is processed and no device receives anything any more."""

    def heard() -> int:
        return sum(len(member.device.heard) for member in members)

    async with asyncio.timeout(_QUIET_TIMEOUT_S):
        while await rows.undone_facts():
            await asyncio.sleep(0.1)
        known = -1
        while known != (known := heard()):
            await asyncio.sleep(_QUIET_S)


def deliveries(members: Sequence[Member], record: Record, ended_at_s: float) -> DeliveryReport:
    heard = [
        Delivery(post["id"], member.id, post["author"]["id"], post["text"], push.at_s)
        for member in members
        for push in member.device.heard
        if push.name == "feed:new"
        for post in [push.data["post"]]
    ]
    ids = [member.id for member in members]
    return check_deliveries(list(record.posts.values()), heard, record.relations, ids, ended_at_s)


def unasked(members: Sequence[Member], relations: Relations) -> list[str]:
    """Nothing failed, so no client was disconnected or got `resync`.

    But a client without a socket hears between its polls by replay, where a `resync` of the feed stands for posts of
    somebody who was withdrawn from this reader meanwhile.
    """
    complaints = [f"{member.id} was cut off" for member in members if not member.device.connected]
    known = {
        "feed:new",
        "feed:removed",
        "message:created",
        "receipt:updated",
        "conversation:updated",
        "conversation:position",
        "collection:changed",
    }
    for member in members:
        for push in member.device.heard:
            if push.name not in known and not (
                isinstance(member.device, RestDevice)
                and (push.name, push.data) == ("resync", {"scope": "feed"})
                and relations.lost_sight(member.id, push.at_s)
            ):
                complaints.append(f"{member.id} heard {push.name} in {push.namespace}: {push.data}")
    return complaints


async def check_record(rows: Rows, record: Record, ids: Sequence[str]) -> list[str]:
    """The answers equal the rows."""
    posts, relations = await rows.posts(), record.relations
    stored = {post_id: posts.get(post_id, ("", "", 0, 0))[:2] for post_id in record.posts}
    answered = {post.id: (post.author, post.text) for post in record.posts.values()}
    likes = {key for key, is_liked in record.likes.items() if is_liked}
    return [
        *check_equal("posts", answered, stored),
        *check_equal("likes", likes, await rows.liked(record.posts)),
        *check_equal("comments", record.comments, await rows.comments(record.posts)),
        *check_equal("follows", relations.follows_at_end(set(ids)), await rows.follows(ids)),
        *check_equal("blocks", relations.blocks_at_end(), await rows.blocks()),
        *check_equal("counters of people", await rows.people_counters(), await rows.people()),
        *check_equal(
            "counters of posts", await rows.post_counters(), {post_id: row[2:] for post_id, row in posts.items()}
        ),
    ]


async def check_feeds(rows: Rows, members: Sequence[Member], chooser: random.Random) -> list[str]:
    """Every feed, paged to its end, equals the rows, with the counts of the rows."""
    posts = await rows.posts()

    async def check(member: Member) -> list[str]:
        shown, ids = await paged(member, FEED, "feed:page", {"limit": chooser.choice(_PAGE_SIZES)}), []
        complaints = []
        for post in shown:
            ids.append(post["id"])
            author = post["author"]
            content = (author["id"], post["text"], post["like_count"], post["comment_count"])
            complaints += check_equal(f"post {post['id']}", content, posts[post["id"]])
        return [*check_equal(f"feed of {member.id}", ids, await rows.feed(member.id)), *complaints]

    # The rows are read over one connection, so the feeds are read one after the other.
    return [complaint for member in members for complaint in await check(member)]


async def check_people(rows: Rows, members: Sequence[Member]) -> list[str]:
    """Every person sees their own counts, and those of the people whom they follow, as the rows have them."""
    people = await rows.people()

    async def check(member: Member) -> list[str]:
        me = await member.device.do("/users", "user:me")
        followed = await paged(member, "/users", "user:following", {"user_id": member.id, "limit": 100})
        expected: list[tuple[dict[str, Any], tuple[int, ...]]] = [(me["user"], people[member.id][:3])]
        expected += [(user, (*people[user["id"]][:2], people[user["id"]][3])) for user in followed]
        return [
            complaint
            for user, counts in expected
            for complaint in check_equal(f"counts of {user['id']}", user_counts(user), counts)
        ]

    return await together([partial(check, member) for member in members])


async def check_chat(
    rows: Rows, members: Sequence[Member], books: dict[Member, Book], record: Record, began: dict[str, list[Said]]
) -> list[str]:
    """Every conversation is the same for both people, in lists, in pushes, and in the rows.

    `began`: the rows at the start.
    """
    stored = await rows.conversations([member.id for member in members])
    positions = await rows.positions()
    by_id = {member.id: member for member in members}
    complaints = [complaint for book in books.values() for complaint in book.complaints]
    for (conversation_id, seq), message in record.messages.items():
        complaints += check_equal(f"message {seq} of {conversation_id}", message, stored[conversation_id][seq - 1])

    async def check(conversation_id: str, member: Member) -> list[str]:
        messages, name = stored[conversation_id], f"{member.id} in {conversation_id}"
        read_seq, unread_count = positions[conversation_id, member.id]
        listed = await paged(member, CHAT, "message:list", {"conversation_id": conversation_id, "limit": 9})
        answer = await member.device.do(CHAT, "conversation:get", {"conversation_id": conversation_id})
        conversation = answer["conversation"]
        unread = (conversation["last_seq"], conversation["viewer"]["unread_count"])
        has_read = max(
            record.reads.get((conversation_id, member.id), 0),
            max((message.seq for message in messages if message.sender == member.id), default=0),
        )
        return [
            *check_conversation(
                conversation_id,
                messages,
                {
                    f"list of {member.id}": [said(message) for message in reversed(listed)],
                    f"book of {member.id}": books[member].conversations.get(conversation_id, []),
                },
            ),
            *check_live(
                name,
                _heard(member, conversation_id),
                after_seq=len(began.get(conversation_id, ())),
                last_seq=len(messages),
                were_sent_at_once=partial(record.were_sent_at_once, conversation_id),
            ),
            *check_equal(f"last and unread of {name}", unread, (len(messages), unread_count)),
            *check_equal(f"unread of {name} by position", unread_count, len(messages) - read_seq),
            *([f"{name} has read up to {has_read}, rows say {read_seq}"] if read_seq < has_read else []),
        ]

    seats = [(conversation_id, by_id[user_id]) for conversation_id, user_id in positions if user_id in by_id]
    return complaints + await together([partial(check, *seat) for seat in seats])


def _heard(member: Member, conversation_id: str) -> list[int]:
    messages = [push.data["message"] for push in member.device.heard if push.name == "message:created"]
    return [message["seq"] for message in messages if message["conversation_id"] == conversation_id]


def user_counts(user: dict[str, Any]) -> tuple[int, ...]:
    return user["follower_count"], user["following_count"], user["post_count"]


async def paged(member: Member, namespace: str, name: str, payload: dict[str, Any]) -> list[dict[str, Any]]:
    """All items of a list, read page by page."""
    cursor = "before_seq" if name == "message:list" else "before"
    items: list[dict[str, Any]] = []
    while True:
        page = await member.device.do(namespace, name, payload)
        items += page["items"]
        if "next_cursor" not in page:
            return items
        payload = {**payload, cursor: int(page["next_cursor"]) if cursor == "before_seq" else page["next_cursor"]}


async def together(jobs: Sequence[Callable[[], Coroutine[Any, Any, list[str]]]]) -> list[str]:
    """All complaints of the jobs, of which some run at the same time."""
    authenticator = asyncio.Semaphore(_AT_ONCE)

    async def do(job: Callable[[], Coroutine[Any, Any, list[str]]]) -> list[str]:
        async with authenticator:
            return await job()

    return [complaint for found in await asyncio.gather(*map(do, jobs)) for complaint in found]
