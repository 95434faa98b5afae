"""Joined reads of conversations and messages against the same ones made one by one."""

import asyncio
import random
from collections.abc import Awaitable
from typing import Any

from sql.database import Database
from sql.ids import MAX_ID, ActivityId, ConversationId
from tests.sql.world import World

NOTHING = ConversationId(1)


async def test_joined_reads_answer_as_the_same_reads_one_by_one(world: World) -> None:
    chance = random.Random(3)
    people = await world.people(*["person"] * 5)
    talks = [await world.conversation(people[0], other) for other in people[1:]]
    opened = await world.write(lambda db: db.chat.open_direct(viewer_id=people[1], other_id=people[2]))
    talks.append(opened.id)
    for _ in range(30):
        place = chance.randrange(4)
        await world.say(talks[place], chance.choice([people[0], people[1 + place]]))
    await world.block(people[4], people[0])
    stamps = [
        row[0] for row in await world.rows("SELECT changed FROM conversations UNION SELECT changed FROM messages")
    ]
    activities = [row[0] for row in await world.rows("SELECT last_activity_id FROM conversations ORDER BY 1")]

    def read(db: Database, call: tuple[str, dict[str, Any]]) -> Awaitable[Any]:
        answer: Awaitable[Any] = getattr(db.chat, call[0])(**call[1])
        return answer

    calls = []
    for _ in range(150):
        viewer = {"viewer_id": chance.choice(people)}
        one = viewer | {"conversation_id": chance.choice([*talks, NOTHING])}
        size = {"page_size": chance.randrange(1, 6)}
        before = ActivityId(chance.choice([MAX_ID, *activities]))
        seq = chance.randrange(12)
        named = chance.sample([*talks, NOTHING], chance.randrange(5))
        known = {"conversation_ids": named, "after_revs": [chance.randrange(8) for _ in named]}
        since = {"since": chance.choice(stamps), "from_id": chance.choice([0, *talks])}
        limits = {"byte_limit": chance.choice([1_100, 9_999]), "beside_limit": chance.randrange(4)}
        possible: list[tuple[str, dict[str, Any]]] = [
            ("read_conversation", one),
            ("list_conversations", viewer | size | {"before": before}),
            ("list_messages_before", one | size | {"before_seq": seq}),
            ("list_messages_after", one | size | {"after_seq": seq}),
            ("read_changes", viewer | size | known | limits),
            ("list_changed_conversations", viewer | size | since | {"count_limit": 9}),
            ("list_message_changes", viewer | size | since | {"count_limit": 9, "change_limit": 4}),
            ("list_newest_messages", viewer | size | {"conversation_limit": 2, "byte_limit": limits["byte_limit"]}),
        ]
        calls.append(chance.choice(possible))
    joined = await asyncio.gather(*(read(world.units.reads, call) for call in calls))
    assert {len(rows) for rows in joined} > {0, 1, 2, 3, 4, 5}
    async with world.units.write() as db:
        for call, rows in zip(calls, joined, strict=True):
            assert rows == await read(db, call), call
