import random
from collections.abc import Sequence

import pytest

from sql.ids import MAX_ID, FollowId, PostId, UserId
from sql.posts import PostStateRow
from tests.sql.world import World

TOP = PostId(MAX_ID)


async def page(
    world: World,
    viewer_id: UserId,
    ids: Sequence[PostId] = (),
    floor: PostId = TOP,
    before: PostId = TOP,
    page_size: int = 100,
    skip: int = 0,
) -> list[PostStateRow]:
    version = await list_version(world, viewer_id)
    rows = await world.read(
        lambda db: db.feed.home_page(
            viewer_id=viewer_id,
            ids=list(ids),
            version=version,
            floor=floor,
            before=before,
            skip=skip,
            page_size=page_size,
        )
    )
    assert not any(row.is_hidden for row in rows)
    return [row.post for row in rows]


async def list_version(world: World, viewer_id: UserId) -> int | None:
    return await world.read(lambda db: db.feed.read_list_version(viewer_id=viewer_id))


async def paged(world: World, viewer_id: UserId, ids: Sequence[PostId], floor: PostId, page_size: int) -> list[PostId]:
    """The whole feed, page by page."""
    found: list[PostId] = []
    before = TOP
    while rows := await page(world, viewer_id, ids, floor, before, page_size):
        assert len(rows) <= page_size
        found += [row.id for row in rows]
        before = rows[-1].id
    return found


async def test_a_feed_without_a_list_comes_from_sql_newest_first(world: World) -> None:
    ann, bob, cat, stranger = await world.people("ann", "bob", "cat", "stranger")
    await world.follow(ann, bob)
    await world.follow(ann, cat)
    first, second = await world.post(bob), await world.post(cat, visibility="followers")
    for author_id in (ann, stranger):
        await world.post(author_id)
    rows = await page(world, ann)
    assert [row.id for row in rows] == [second, first]
    assert await page(world, bob) == []


async def test_what_the_viewer_may_not_see_is_not_in_it_wherever_it_comes_from(world: World) -> None:
    ann, bob, star, gone, blocker, blocked = await world.people("ann", "bob", "star", "gone", "blocker", "blocked")
    for author_id in (bob, gone, blocker, blocked):
        await world.follow(ann, author_id)
    await world.follow(ann, star, broadcaster_from=1)
    visible = [await world.post(bob), await world.post(star), await world.post(bob, visibility="followers")]
    hidden = [await world.post(author_id) for author_id in (gone, blocker, blocked, ann)]
    hidden += [await world.post(bob, visibility="private"), await world.post(star, visibility="private")]
    deleted = [await world.post(bob), await world.post(star)]
    await world.unfollow(ann, gone)
    async with world.units.write() as db:
        for author_id, post_id in zip((bob, star), deleted, strict=True):
            await db.posts.delete_post(post_id=post_id, author_id=author_id)
        # The follow stays on purpose: a block hides by itself.
        await db.graph.insert_block(blocker_id=blocker, blocked_id=ann)
        await db.graph.insert_block(blocker_id=ann, blocked_id=blocked)
    everything = [*visible, *hidden, *deleted, PostId(1)]
    expected = visible[::-1]
    for ids, floor in ((everything, PostId(0)), ([], TOP), (everything, TOP), (everything[:4], everything[3])):
        assert [row.id for row in await page(world, ann, ids, floor)] == expected


@pytest.mark.parametrize("seed", range(6))
async def test_list_and_sql_join_without_a_seam(world: World, seed: int) -> None:
    """Any floor, any page size, a list with doubles, in any order: the pages together are the whole feed."""
    chance = random.Random(seed)
    viewer = await world.person("viewer")
    authors = await world.people(*["author"] * 6)
    star = authors[0]
    await world.follow(viewer, star, broadcaster_from=1)
    for author_id in authors[1:5]:
        await world.follow(viewer, author_id)
    posts = [(await world.post(author_id), author_id) for author_id in chance.choices(authors, k=60)]
    expected = [post_id for post_id, author_id in reversed(posts) if author_id != authors[5]]
    for floor in (PostId(0), posts[20][0], posts[40][0], posts[-1][0], TOP):
        ids = [post_id for post_id, author_id in posts if post_id > floor and author_id != star]
        ids += chance.sample([post_id for post_id, _ in posts], k=10)
        chance.shuffle(ids)
        assert await paged(world, viewer, ids, floor, chance.choice([1, 3, 7, 100])) == expected
        assert await paged(world, viewer, ids, floor, 5) == expected


async def test_a_page_repeats_nothing_while_posts_arrive(world: World) -> None:
    viewer, author = await world.people("viewer", "author")
    await world.follow(viewer, author)
    expected = [await world.post(author) for _ in range(8)][::-1]
    found: list[PostId] = []
    before = TOP
    while rows := await page(world, viewer, before=before, page_size=3):
        found += [row.id for row in rows]
        before = rows[-1].id
        await world.post(author)
    assert found == expected


@pytest.mark.parametrize("listed", [0, 4, 20])
async def test_what_is_skipped_is_the_top_of_the_same_feed(world: World, listed: int) -> None:
    """However much of it comes from the list, from broadcasters and from SQL."""
    viewer, one, other, star = await world.people("viewer", "one", "other", "star")
    await world.follow(viewer, one)
    await world.follow(viewer, other)
    await world.follow(viewer, star, broadcaster_from=1)
    authors = [one, other, one, star, other, one, one, star, other, one, star, one]
    by_author = [(await world.post(author_id), author_id) for author_id in authors]
    expected = [post_id for post_id, _ in by_author][::-1]
    pushable = [post_id for post_id, author_id in reversed(by_author) if author_id != star]
    pushed = pushable[:listed]
    floor = TOP if not listed else pushed[-1] if listed < len(pushable) else PostId(0)
    for skip in range(len(expected) + 2):
        rows = await page(world, viewer, pushed, floor, page_size=3, skip=skip)
        assert [row.id for row in rows] == expected[skip : skip + 3]


async def changed(world: World, viewer_id: UserId, since: int, page_size: int = 100) -> dict[PostId, str | None] | None:
    """The text of each post that has changed, None where the viewer may not see it; None: all is read anew."""
    rows = await world.read(lambda db: db.feed.changed_posts(viewer_id=viewer_id, since=since, page_size=page_size))
    assert 0 < rows[0].position <= await world.value("SELECT stamp_horizon()")
    if rows[0].is_reset:
        assert len(rows) == 1
        return None
    seen = [row.post.id for row in rows if row.post is not None]
    posts = await world.read(lambda db: db.posts.read_posts(viewer_id=viewer_id, post_ids=seen))
    texts = {post.id: post.text for post in posts}
    return {row.post_id: texts.get(row.post_id) for row in rows if row.post_id is not None}


async def position(world: World) -> int:
    """Above all earlier stamps of this test, whatever transactions other tests have open."""
    stamp: int = await world.value("SELECT change_stamp()")
    return stamp


async def has_changed(world: World, viewer_id: UserId, since: int) -> bool:
    answer: bool = await world.value("SELECT feed_changed FROM feed_changed($1, $2)", viewer_id, since)
    return answer


async def test_whatever_happened_to_posts_of_followed_users_is_read_as_it_is_now(world: World) -> None:
    ann, bob, star, stranger = await world.people("ann", "bob", "star", "stranger")
    await world.follow(ann, bob)
    await world.follow(ann, star, broadcaster_from=1)
    edited, hidden, deleted, shown, liked, both = [await world.post(bob, "old") for _ in range(6)]
    await world.write(
        lambda db: db.posts.update_post(
            post_id=shown, author_id=bob, text=None, entities=None, visibility="private", replies=None, sensitive=None
        )
    )
    before = await position(world)
    assert not await has_changed(world, ann, before)
    assert await changed(world, ann, before) == {}
    for post_id, text, visibility in (
        (edited, "new", None),
        (hidden, None, "private"),
        (shown, None, "followers"),
        (both, "new", None),
        (both, None, "private"),
    ):
        await world.write(
            lambda db, post_id=post_id, text=text, visibility=visibility: db.posts.update_post(  # type: ignore[misc]
                post_id=post_id,
                author_id=bob,
                text=text,
                entities=None,
                visibility=visibility,
                replies=None,
                sensitive=None,
                poll=None,
            )
        )
    await world.write(lambda db: db.posts.delete_post(post_id=deleted, author_id=bob))
    await world.write(lambda db: db.posts.set_like(post_id=liked, user_id=ann, wanted=True))
    made, by_star = await world.post(bob, "made", "followers"), await world.post(star, "by star")
    await world.post(stranger)
    own = await world.post(ann)
    assert await changed(world, ann, before) == {
        edited: "new", hidden: None, deleted: None, shown: "old", both: None, made: "made", by_star: "by star",
    }  # fmt: skip
    assert await has_changed(world, ann, before)
    assert len(await changed(world, ann, before, page_size=3) or ()) == 3
    assert await changed(world, stranger, before) == {}
    assert not await has_changed(world, stranger, before)
    assert own not in (await changed(world, ann, before) or ())


@pytest.mark.parametrize("others", [0, 49, 50, 200])
async def test_a_change_is_noticed_among_few_and_among_many_others(world: World, others: int) -> None:
    ann, bob, stranger = await world.people("ann", "bob", "stranger")
    await world.follow(ann, bob)
    before = await position(world)

    async def others_post() -> None:
        await world.execute(
            "INSERT INTO posts (author_id, text) SELECT $1, '' FROM generate_series(1, $2)", stranger, others
        )

    await others_post()
    assert not await has_changed(world, ann, before)
    await world.post(bob)
    assert await has_changed(world, ann, before)
    assert not await has_changed(world, stranger, before)
    before = await position(world)
    await world.post(bob)
    await others_post()
    assert await has_changed(world, ann, before)
    assert not await has_changed(world, bob, before)


async def test_a_post_that_commits_late_is_read_by_the_next_sync(world: World) -> None:
    ann, bob, cat = await world.people("ann", "bob", "cat")
    await world.follow(ann, bob)
    await world.follow(ann, cat)
    mark = await position(world)
    async with world.units.write() as slow:
        row = await slow.posts.insert_post(
            author_id=bob,
            kind="text",
            text="late",
            link=None,
            entity_set={},
            visibility="public",
            replies_from="everyone",
            sensitive=False,
            poll=None,
            client_id=None,
        )
        assert row is not None
        late = row.id
        made = await world.post(cat, "made")  # in a later transaction that is committed earlier
        since = max(mark, await world.value("SELECT stamp_horizon()"))
        assert await changed(world, ann, since) == {made: "made"}
    assert await changed(world, ann, since) == {made: "made", late: "late"}


@pytest.mark.parametrize("way", ["follow", "unfollow", "block", "blocked", "unblock", "hides"])
async def test_whoever_may_see_other_people_reads_all_anew(world: World, way: str) -> None:
    ann, bob, cat = await world.people("ann", "bob", "cat")
    await world.follow(ann, bob)
    await world.follow(bob, ann)
    if way == "unblock":
        await world.block(cat, ann)
    await world.post(bob)
    before = await position(world)
    match way:
        case "follow":
            await world.follow(ann, cat)
        case "unfollow":
            await world.unfollow(ann, bob)
        case "block":
            await world.block(ann, cat)
        case "blocked":
            await world.block(cat, ann)
        case "unblock":
            await world.write(lambda db: db.graph.delete_block(blocker_id=cat, blocked_id=ann))
        case "hides":
            await world.execute("UPDATE users SET published_changed = change_stamp() WHERE id = $1", bob)
    assert await changed(world, ann, before) is None
    assert await has_changed(world, ann, before)
    assert await changed(world, bob, before) == {}, "it is another's feed"
    assert await changed(world, ann, await position(world)) == {}


async def test_the_position_of_a_list_waits_for_the_consumer_that_fills_it(world: World) -> None:
    async def read() -> int:
        here = await world.read(lambda db: db.feed.read_list_position(consumer="filler", fact_names=["post.created"]))
        assert here.history == await world.value("SELECT history FROM epochs")
        return here.position

    async def checkpoint(lane: int, position: int, fact_id: int = 0) -> None:
        await world.execute(
            "INSERT INTO fact_checkpoints VALUES ('filler', $1, $2, $3, 0, 0), ('other', $1, 3, 0, 0, 0)"
            " ON CONFLICT (consumer, lane) DO UPDATE SET position = excluded.position, fact_id = excluded.fact_id",
            lane,
            position,
            fact_id,
        )

    await world.execute("DELETE FROM facts")
    assert await read() == 0, "it has never run"
    for lane in range(8):
        await checkpoint(lane, 0)
    mark = await world.value("SELECT stamp_horizon()")  # which only rises
    assert await read() > 0
    for lane, at, fact_id, name in (
        (3, mark - 25, 4, "follow.created"),
        (3, mark - 20, 1, "post.created"),
        (3, mark - 10, 2, "post.created"),
        (5, mark - 15, 3, "post.created"),
    ):
        await world.execute(
            "INSERT INTO facts (position, lane, id, name, payload) VALUES ($1, $2, $3, $4, '{}')",
            at,
            lane,
            fact_id,
            name,
        )
    assert await read() == mark - 20
    await checkpoint(3, mark - 20, 1)
    assert await read() == mark - 15
    await checkpoint(5, mark - 15, 3)
    assert await read() == mark - 10
    await checkpoint(3, mark - 10, 2)
    assert mark - 10 < await read() <= await world.value("SELECT stamp_horizon()")
    await world.execute("DELETE FROM fact_checkpoints")


async def test_a_list_is_built_from_the_newest_posts_of_non_broadcasters(world: World) -> None:
    viewer, one, other, star = await world.people("viewer", "one", "other", "star")
    await world.follow(viewer, one)
    await world.follow(viewer, other)
    await world.follow(viewer, star, broadcaster_from=1)
    posts = [await world.post(author_id) for author_id in (one, star, other, one, other)]
    await world.post(one, visibility="private")

    async def newest(id_limit: int) -> list[PostId]:
        return await world.read(lambda db: db.feed.home_ids(viewer_id=viewer, id_limit=id_limit))

    assert await newest(800) == [posts[4], posts[3], posts[2], posts[0]]
    assert await newest(2) == [posts[4], posts[3]]


@pytest.mark.parametrize("seed", range(4))
async def test_a_list_is_the_newest_ids_however_unevenly_people_publish(world: World, seed: int) -> None:
    chance = random.Random(seed)
    viewer, *authors = await world.people("viewer", *["author"] * 5)
    for author_id in authors:
        await world.follow(viewer, author_id)
    weights = [40, 20, 5, 1, 1]
    newest_first = [await world.post(author_id) for author_id in chance.choices(authors, weights, k=80)][::-1]
    for id_limit in (1, 7, 25, 45, 79, 80, 800):
        async with world.units.write() as db:
            ids = await db.feed.home_ids(viewer_id=viewer, id_limit=id_limit)
        assert ids == newest_first[:id_limit]


async def test_followers_come_in_batches_without_skip_or_repeat_and_without_the_blocked(world: World) -> None:
    author, *fans = await world.people("author", *["fan"] * 7)
    for fan in fans:
        await world.follow(fan, author, broadcaster_from=7)
    async with world.units.write() as db:
        await db.graph.insert_block(blocker_id=fans[2], blocked_id=author)
        await db.graph.insert_block(blocker_id=author, blocked_id=fans[4])
    reachable = [fan for fan in reversed(fans) if fan not in (fans[2], fans[4])]
    found: list[UserId] = []
    before = FollowId(MAX_ID)
    async with world.units.write() as db:
        while rows := await db.feed.follower_batch(author_id=author, before_follow_id=before, batch_size=3):
            found += [row.user_id for row in rows]
            before = rows[-1].follow_id
        assert found == reachable
        among = await db.feed.followers_among(author_id=author, user_ids=[author, *fans, UserId(1)])
        assert set(among) == set(reachable)
        row = await db.feed.read_author(author_id=author)
        assert row is not None and (row.follower_count, row.is_broadcaster) == (7, True)
        assert await db.feed.read_author(author_id=UserId(1)) is None


@pytest.mark.parametrize("difference", [-1, 1, 1 << 32, None], ids=["earlier", "later", "of another history", "none"])
async def test_a_list_of_another_version_counts_for_nothing(world: World, difference: int | None) -> None:
    ann, bob = await world.people("ann", "bob")
    await world.follow(ann, bob)
    posts = [await world.post(bob) for _ in range(3)]
    assert [row.id for row in await page(world, ann, posts[:1], PostId(0))] == posts[:1]
    present = await list_version(world, ann)
    assert present is not None
    version = None if difference is None else present + difference
    rows = await world.read(
        lambda db: db.feed.home_page(
            viewer_id=ann, ids=posts[:1], version=version, floor=PostId(0), before=TOP, skip=0, page_size=9
        )
    )
    assert [row.post.id for row in rows] == posts[::-1]


async def test_only_a_new_follow_of_ones_own_raises_the_version_of_lists(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    first = await list_version(world, ann)
    assert first is not None
    for _ in range(2):
        await world.follow(ann, bob)
        assert await list_version(world, ann) == first + 1
    await world.follow(bob, ann)
    await world.unfollow(ann, bob)
    assert await list_version(world, ann) == first + 1
    await world.follow(ann, bob)
    assert await list_version(world, ann) == first + 2
    assert await list_version(world, UserId(1)) is None
