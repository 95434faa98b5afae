"""The rows that a test starts from, made through the product's own queries."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from sql.database import Database, UnitDatabase
from sql.ids import CommentId, ConversationId, PostId, UserId
from sql.unit import Units

T = TypeVar("T")


def changing_message(setting: str) -> str:
    """The statement that sets these columns of the message `$2` of the conversation `$1`, and answers the change's rev.

    The update of the conversation is its lock, so that revs follow commits.
    """
    return f"""
        WITH counted AS (
            UPDATE conversations SET rev = rev + 1, changed = change_stamp() WHERE id = $1 RETURNING id, rev
        )
        UPDATE messages m
        SET {setting}, rev = counted.rev, changed = change_stamp()
        FROM counted
        WHERE m.conversation_id = counted.id AND m.seq = $2
        RETURNING m.rev
    """


_numbers = itertools.count(1)


class World:
    """Each call is a unit of work of its own, committed when it returns."""

    def __init__(self, units: Units) -> None:
        self.units = units

    async def write(self, act: Callable[[UnitDatabase], Awaitable[T]]) -> T:
        async with self.units.write() as db:
            return await act(db)

    async def read(self, look: Callable[[Database], Awaitable[T]]) -> T:
        return await look(self.units.reads)

    async def value(self, sql: str, *arguments: Any) -> Any:
        """One value, straight from the tables."""
        async with self.units.lend() as db:
            return await db.connection.fetchval(sql, *arguments)

    async def rows(self, sql: str, *arguments: Any) -> Any:
        """Rows, straight from the tables."""
        async with self.units.lend() as db:
            return await db.connection.fetch(sql, *arguments)

    async def execute(self, sql: str, *arguments: Any) -> None:
        await self.write(lambda db: db.connection.execute(sql, *arguments))

    async def lose_connections(self, doing: str = "%") -> int:
        """Ends every other connection to the database whose last statement is LIKE `doing`, and answers how many.

        They are gone, and their pools know it, when this returns.
        """

        others = "FROM pg_stat_activity WHERE pid = ANY($1)"
        async with self.units.write() as db:
            rows = await db.connection.fetch(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend' AND query LIKE $1",
                doing,
            )
            ended = [row["pid"] for row in rows]
            await db.connection.fetch(f"SELECT pg_terminate_backend(pid) {others}", ended)
            while await db.connection.fetchval(f"SELECT count(*) {others}", ended):
                await db.connection.execute("SELECT pg_stat_clear_snapshot()")
        for _ in range(5):  # a closed socket is read in one turn of the loop, and told to its owner in a later one
            await asyncio.sleep(0)
        return len(ended)

    async def at_once(self, acts: Sequence[Callable[[UnitDatabase], Awaitable[T]]]) -> list[T]:
        """Every act in its own transaction, as many of them at a time as the pool has connections."""
        return await asyncio.gather(*(self.write(act) for act in acts))

    async def until_one_waits_for(self, unit: UnitDatabase) -> None:
        """Returns when another transaction waits for a lock that this one holds."""
        process_id = await unit.connection.fetchval("SELECT pg_backend_pid()")
        waits = "SELECT EXISTS (SELECT FROM pg_stat_activity a WHERE $1 = ANY(pg_blocking_pids(a.pid)))"
        async with asyncio.timeout(5.0):
            while not await self.value(waits, process_id):
                await asyncio.sleep(0.002)

    async def person(self, name: str = "person") -> UserId:
        """A new user; a number is added to the name."""
        username = f"{name}{next(_numbers)}"
        return await self.write(
            lambda db: db.accounts.insert_user(
                username=username,
                username_folded=username,
                email=f"{username}@example.org",
                email_folded=f"{username}@example.org",
                phone=None,
                password_hash="hash",
                display_name=name.title(),
            )
        )

    async def people(self, *names: str) -> list[UserId]:
        return [await self.person(name) for name in names]

    async def follow(self, follower_id: UserId, followed_id: UserId, broadcaster_from: int = 10_000) -> None:
        await self.write(
            lambda db: db.graph.set_follow(
                follower_id=follower_id, followed_id=followed_id, wanted=True, broadcaster_from=broadcaster_from
            )
        )

    async def unfollow(self, follower_id: UserId, followed_id: UserId) -> None:
        await self.write(
            lambda db: db.graph.set_follow(
                follower_id=follower_id, followed_id=followed_id, wanted=False, broadcaster_from=10_000
            )
        )

    async def block(self, blocker_id: UserId, blocked_id: UserId) -> None:
        async with self.units.write() as db:
            await db.people.lock_users(user_ids=[blocker_id, blocked_id])
            await db.graph.insert_block(blocker_id=blocker_id, blocked_id=blocked_id)
            await db.graph.remove_follows(user_id=blocker_id, other_id=blocked_id)

    async def post(self, author_id: UserId, text: str = "hello", visibility: str = "public") -> PostId:
        made = await self.write(
            lambda db: db.posts.insert_post(
                author_id=author_id,
                kind="text",
                text=text,
                link=None,
                entity_set={},
                visibility=visibility,
                replies_from="everyone",
                sensitive=False,
                poll=None,
                client_id=None,
            )
        )
        assert made is not None
        return made.id

    async def comment(self, post_id: PostId, author_id: UserId, parent_id: CommentId | None = None) -> CommentId:
        made = await self.write(
            lambda db: db.comments.insert_comment(
                post_id=post_id, parent_id=parent_id, author_id=author_id, text="well", client_id=None, id_limit=9
            )
        )
        assert made is not None
        return made.comment.id

    async def conversation(self, one: UserId, other: UserId) -> ConversationId:
        """A conversation that both have joined."""

        async def open_both(db: Database) -> ConversationId:
            await db.chat.open_direct(viewer_id=one, other_id=other)
            return (await db.chat.open_direct(viewer_id=other, other_id=one)).id

        return await self.write(open_both)

    async def change_message(self, conversation_id: ConversationId, seq: int, setting: str) -> int:
        """Changes columns of a message as a command has to: `setting` is SQL. Answers the rev of the change."""
        return int(await self.value(changing_message(setting), conversation_id, seq))

    async def say(self, conversation_id: ConversationId, sender_id: UserId, text: str = "hi") -> int:
        """Sends a message and answers its seq."""
        sent = await self.write(
            lambda db: db.chat.send_message(
                conversation_id=conversation_id,
                sender_id=sender_id,
                text=text,
                reply_to_seq=None,
                client_id=None,
            )
        )
        assert sent is not None and sent.message is not None
        return sent.message.seq
