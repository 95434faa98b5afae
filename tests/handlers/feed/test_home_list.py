"""A page of the home feed is what SQL says, whatever happened to the kept list."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from handlers.feed.home_list import HomeList
from realtime.feeds.packed_lists import PackedLists
from realtime.redis.client import StoreUnavailable, open_redis
from sql.ids import PostId
from tests.handlers.feed.feed_lab import LIST_MAX, FeedLab, StoredFact
from tests.kit.services import Valkey


@asynccontextmanager
async def another_node(redis_url: str) -> AsyncIterator[PackedLists]:
    """The lists as a node beside the one under test has them."""
    redis = open_redis(redis_url, client_name="another-node")
    lists = PackedLists(redis, prefix="feed", max_length=LIST_MAX)
    try:
        yield lists
    finally:
        await lists.stop()
        await redis.aclose()


async def test_a_first_read_builds_the_list_and_the_next_one_uses_it(lab: FeedLab, redis_url: str) -> None:
    (viewer, author) = await lab.people(2)
    await lab.follow_in_the_past([viewer], [author])
    await lab.posts_of_the_past([author], LIST_MAX + 30)
    truth = await lab.truth(viewer)
    async with another_node(redis_url) as lists:
        assert await lists.read(viewer) is None
        assert (await lab.page(viewer))[0] == truth[:20]
        kept = await lists.read(viewer)
        assert kept is not None
        assert (kept.ids, kept.floor) == (truth[:LIST_MAX], truth[LIST_MAX - 1])
    assert await lab.walk(viewer, limit=7) == truth


async def test_a_user_without_follows_has_an_empty_feed(lab: FeedLab) -> None:
    (viewer, stranger) = await lab.people(2)
    await lab.post(stranger)
    await lab.post(viewer)
    assert await lab.page(viewer) == ([], None)


async def test_a_post_pushed_while_another_node_builds_the_list_is_in_it(lab: FeedLab, redis_url: str) -> None:
    (viewer, author) = await lab.people(2)
    await lab.follow_in_the_past([viewer], [author])
    await lab.posts_of_the_past([author], 30)
    async with another_node(redis_url) as lists:
        token = await lists.begin_rebuild(viewer)
        assert token is not None
        rows_read = await lab.truth(viewer)
        pushed = await lab.post(author)
        await lab.settle()
        assert (await lab.page(viewer))[0] == [pushed, *rows_read][:20], "nobody waits for the builder"
        assert await lists.finish_rebuild(viewer, token, rows_read, 0)
        kept = await lists.read(viewer)
        assert kept is not None
        assert kept.ids == [pushed, *rows_read]
    assert await lab.walk(viewer) == [pushed, *rows_read] == await lab.truth(viewer)


async def test_pushes_land_in_a_list_before_its_rows_are_read(lab: FeedLab, redis_url: str) -> None:
    (viewer, author) = await lab.people(2)
    await lab.follow_in_the_past([viewer], [author])
    await lab.posts_of_the_past([author], 30)
    async with another_node(redis_url) as lists, lab.database.acquire() as writer, lab.database.acquire() as barrier:
        writing = writer.transaction()
        await writing.start()
        pushed = await writer.fetchval("INSERT INTO posts (author_id, text) VALUES ($1, 'late') RETURNING id", author)
        async with asyncio.TaskGroup() as reading, asyncio.timeout(4), barrier.transaction():
            await barrier.execute("LOCK TABLE follows IN ACCESS EXCLUSIVE MODE")
            reading.create_task(lab.page(viewer))  # cannot read its rows while the lock is held
            while not await lists.push([viewer], pushed):
                await asyncio.sleep(0.005)
        await writing.commit()
    truth = await lab.truth(viewer)
    assert truth[0] == pushed
    assert await lab.walk(viewer) == truth


async def test_a_follow_undoes_a_build_that_read_its_rows_before(lab: FeedLab, redis_url: str) -> None:
    (viewer, author, followed_later) = await lab.people(3)
    await lab.follow_in_the_past([viewer], [author])
    await lab.posts_of_the_past([author, followed_later], 30)
    async with another_node(redis_url) as lists:
        token = await lists.begin_rebuild(viewer)
        assert token is not None
        rows_read = await lab.truth(viewer)
        await lab.do(viewer, "/users", "user:follow", user_id=str(followed_later))
        await lab.settle()
        assert not await lists.finish_rebuild(viewer, token, rows_read, 0)
    assert await lab.walk(viewer) == await lab.truth(viewer) != rows_read


async def test_a_builder_that_died_delays_no_reader(lab: FeedLab, redis_url: str) -> None:
    (viewer, author) = await lab.people(2)
    await lab.follow_in_the_past([viewer], [author])
    await lab.posts_of_the_past([author], 10)
    async with another_node(redis_url) as lists:
        assert await lists.begin_rebuild(viewer, lease_ms=60_000) is not None
        assert await lab.walk(viewer) == await lab.truth(viewer)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 40])
def test_a_part_of_a_list_has_everything_above_its_floor(count: int) -> None:
    ids, floor = [PostId(number) for number in (90, 80, 70, 60, 50, 40)], PostId(60)
    home = HomeList(ids, floor, 1)
    for before in range(35, 100):
        part = home.part(before, count)
        below = [post_id for post_id in ids if post_id < before]
        assert part.ids == below[:count]
        assert part.floor >= floor
        assert [post_id for post_id in below if post_id > part.floor] == [i for i in part.ids if i > part.floor]
        assert part.floor == floor or part.floor == part.ids[-1]


async def test_a_page_is_full_where_most_of_the_newest_posts_are_gone(lab: FeedLab) -> None:
    (viewer, author) = await lab.people(2)
    await lab.follow_in_the_past([viewer], [author])
    await lab.posts_of_the_past([author], 90)
    await lab.page(viewer)
    newest = (await lab.truth(viewer))[:55]
    kept = set(newest[::6])
    await lab.database.execute(
        "UPDATE posts SET deleted_at = now(), text = '' WHERE id = ANY($1)",
        [gone for gone in newest if gone not in kept],
    )
    assert (await lab.page(viewer))[0] == (await lab.truth(viewer))[:20]
    assert await lab.walk(viewer, limit=7) == await lab.truth(viewer)


async def test_a_list_that_was_trimmed_meets_sql_without_a_seam(lab: FeedLab) -> None:
    (viewer, *authors) = await lab.people(4)
    await lab.follow_in_the_past([viewer], authors)
    await lab.posts_of_the_past(authors, 20)
    await lab.page(viewer)
    for count in range(2 * LIST_MAX + 30):
        await lab.post(authors[count % len(authors)])
    await lab.settle()
    for limit in (100, 33):
        assert await lab.walk(viewer, limit) == await lab.truth(viewer)


async def test_pages_neither_skip_nor_repeat_while_posts_arrive(lab: FeedLab) -> None:
    (viewer, *authors) = await lab.people(4)
    (broadcaster,) = await lab.people(1, is_broadcaster=True)
    await lab.follow_in_the_past([viewer], [*authors, broadcaster])
    await lab.posts_of_the_past([*authors, broadcaster], LIST_MAX + 60)
    expected = await lab.truth(viewer)
    seen, cursor = await lab.page(viewer, limit=9)
    while cursor is not None:
        for author in (authors[len(seen) % len(authors)], broadcaster):
            await lab.post(author)
        await lab.settle()
        ids, cursor = await lab.page(viewer, cursor, limit=9)
        seen += ids
    assert seen == expected
    assert await lab.walk(viewer) == await lab.truth(viewer) != expected


@pytest.mark.parametrize("hidden", ["user:unfollow", "user:block"])
async def test_a_list_full_of_hidden_posts_hides_no_others(lab: FeedLab, hidden: str) -> None:
    (viewer, quiet, loud) = await lab.people(3)
    await lab.follow_in_the_past([viewer], [quiet, loud])
    await lab.posts_of_the_past([quiet], 40)
    await lab.posts_of_the_past([loud], LIST_MAX)
    await lab.page(viewer)
    await lab.do(viewer, "/users", hidden, user_id=str(loud))
    truth = await lab.truth(viewer)
    assert len(truth) == 40
    assert (await lab.page(viewer))[0] == truth[:20]
    assert await lab.walk(viewer) == truth


async def test_flushall_in_the_middle_loses_nothing(lab: FeedLab, valkey: Valkey) -> None:
    (viewer, author) = await lab.people(2)
    await lab.follow_in_the_past([viewer], [author])
    await lab.posts_of_the_past([author], LIST_MAX + 20)
    seen, cursor = await lab.page(viewer)
    expected = await lab.truth(viewer)
    await lab.post(author)
    await asyncio.to_thread(valkey.flush)
    while cursor is not None:
        ids, cursor = await lab.page(viewer, cursor)
        seen += ids
    assert seen == expected
    await lab.settle()
    assert await lab.walk(viewer) == await lab.truth(viewer)


async def test_with_redis_away_sql_answers_and_what_was_posted_meanwhile_is_pushed_later(
    lab: FeedLab, valkey: Valkey
) -> None:
    (viewer, author) = await lab.people(2)
    await lab.follow_in_the_past([viewer], [author])
    await lab.posts_of_the_past([author], 30)
    await lab.page(viewer)
    await asyncio.to_thread(valkey.stop)
    try:
        await lab.post(author)
        (fact,) = await lab.new_facts()
        assert await lab.walk(viewer) == await lab.truth(viewer)
        with pytest.raises(StoreUnavailable):
            await lab.bring(fact)
        assert await lab.new_facts() == [fact]
    finally:
        await asyncio.to_thread(valkey.start)
    await bring_when_redis_is_back(lab, fact)
    assert await lab.walk(viewer) == await lab.truth(viewer)


async def bring_when_redis_is_back(lab: FeedLab, fact: StoredFact) -> None:
    while True:
        try:
            await lab.bring(fact)
            return
        except StoreUnavailable:
            await asyncio.sleep(0.02)


async def test_reads_builds_pushes_and_losses_at_the_same_time(lab: FeedLab, valkey: Valkey) -> None:
    (*viewers,) = await lab.people(3)
    (*authors,) = await lab.people(4)
    await lab.follow_in_the_past(viewers, authors)
    await lab.posts_of_the_past(authors, LIST_MAX)
    chance = random.Random(4)
    posted: list[int] = []

    async def write() -> None:
        for author in chance.choices(authors, k=12):
            posted.append(await lab.post(author))

    async def bring() -> None:
        for _ in range(12):
            facts = await lab.new_facts()
            chance.shuffle(facts)
            await asyncio.gather(*(lab.bring(fact) for fact in facts))

    async def read() -> None:
        for viewer in chance.choices(viewers, k=12):
            ids, _ = await lab.page(viewer, limit=50)
            assert ids == sorted(set(ids), reverse=True)
            assert len(ids) == 50

    async def lose() -> None:
        for _ in range(6):
            await asyncio.to_thread(valkey.flush)

    await asyncio.gather(write(), write(), bring(), bring(), read(), read(), read(), lose())
    await lab.settle()
    assert len(posted) == 24
    for viewer in viewers:
        assert await lab.walk(viewer, limit=30) == await lab.truth(viewer)
