import datetime

from sql.bulk import CommentRecord, FollowRecord, LikeRecord, PersonRecord, PostRecord, copy_records
from sql.ids import PostId, UserId
from tests.sql.world import World

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


async def test_an_empty_database_has_no_users(world: World) -> None:
    assert await world.read(lambda db: db.network.has_people()) is False
    await world.person()
    assert await world.read(lambda db: db.network.has_people()) is True


async def test_counters_of_copied_rows_are_set_from_the_rows(world: World) -> None:
    people = [
        PersonRecord(
            UserId(n),
            f"copied{n}",
            f"copied{n}",
            f"copied{n}@example.org",
            f"copied{n}@example.org",
            "h",
            "",
            "",
            NOW,
            NOW,
        )
        for n in range(101, 105)
    ]
    posts = [PostRecord(PostId(n), 101, "text", "hello", None) for n in (201, 202, 203)]
    async with world.units.write() as db:
        await copy_records(db, PersonRecord, people)
        await copy_records(db, FollowRecord, [FollowRecord(n, 101) for n in (102, 103, 104)])
        await copy_records(db, PostRecord, posts)
        await copy_records(db, LikeRecord, [LikeRecord(201, n) for n in (102, 103)])
        await copy_records(db, CommentRecord, [CommentRecord(301, 201, 104, "well")])
        await db.connection.execute("UPDATE posts SET deleted_at = now() WHERE id = 203")
        await db.connection.execute("UPDATE posts SET visibility = 'followers' WHERE id = 202")
        await db.network.recount_people(user_ids=[101, 102], broadcaster_threshold=3)
        await db.network.recount_posts(post_ids=[201, 202])
        await db.network.analyze_tables()
        counted = await db.connection.fetch(
            """
            SELECT follower_count, following_count, post_count, followers_post_count, public_post_count, is_broadcaster
            FROM users
            WHERE id IN (101, 102, 103)
            ORDER BY id
            """
        )
        post = await db.connection.fetchrow(
            "SELECT like_count, comment_count, last_comment_id FROM posts WHERE id = 201"
        )
    assert [tuple(row) for row in counted] == [(3, 0, 2, 2, 1, True), (0, 1, 0, 0, 0, False), (0, 0, 0, 0, 0, False)]
    assert post is not None and tuple(post) == (2, 1, 301)
