import asyncio
import datetime
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from handlers.access import may_see_content
from sql.database import Database
from sql.ids import MAX_ID, LikeId, PostId, UserId
from sql.people import RelationRow
from sql.posts import DeletedPostRow, LikeRow, PostRow, UpdatedPostRow
from tests.sql.world import World

NOTHING = PostId(1)


async def read(world: World, viewer_id: UserId, post_id: PostId) -> PostRow | None:
    return await world.read(lambda db: db.posts.read_post(viewer_id=viewer_id, post_id=post_id))


async def like_count(world: World, post_id: PostId) -> tuple[int, int]:
    """The counter and the rows it counts."""
    return (
        await world.value("SELECT like_count FROM posts WHERE id = $1", post_id),
        await world.value("SELECT count(*) FROM post_likes WHERE post_id = $1", post_id),
    )


async def post_count(world: World, user_id: UserId) -> int:
    counted: int = await world.value("SELECT post_count FROM users WHERE id = $1", user_id)
    return counted


async def test_a_post_is_read_with_its_author_and_what_the_viewer_has_to_do_with_it(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    await world.follow(bob, ann)
    post_id = await world.post(ann, "first")
    await world.write(lambda db: db.posts.set_like(post_id=post_id, user_id=bob, wanted=True))
    post = await read(world, bob, post_id)
    assert post is not None
    assert (post.id, post.kind, post.text, post.link, post.visibility) == (post_id, "text", "first", None, "public")
    assert (post.like_count, post.comment_count, post.share_count) == (1, 0, 0)
    assert (post.client_id, post.edited_at) == (None, None)
    assert (post.author.id, post.author.display_name) == (ann, "Ann")
    assert post.viewer == RelationRow(False, True, False, False, False)
    assert post.viewer_liked
    own = await read(world, ann, post_id)
    assert own is not None and own.viewer.is_self and not own.viewer_liked
    assert await read(world, ann, NOTHING) is None


async def test_a_repeated_client_id_makes_one_post_however_many_try_at_once(world: World) -> None:
    ann, bob = await world.people("ann", "bob")

    async def create(db: Database) -> PostRow | None:
        return await db.posts.insert_post(
            author_id=ann,
            kind="link",
            text="t",
            link="https://example.org",
            entity_set={},
            visibility="public",
            replies_from="everyone",
            sensitive=False,
            poll=None,
            client_id="once",
        )

    made = [post for post in await world.at_once([create] * 12) if post is not None]
    assert len(made) == 1
    assert made[0] == await read(world, ann, made[0].id)
    assert await post_count(world, ann) == 1
    assert await world.read(lambda db: db.posts.find_post(author_id=ann, client_id="once")) == made[0].id
    assert await world.read(lambda db: db.posts.find_post(author_id=bob, client_id="once")) is None


async def test_deleting_and_editing_are_for_the_author_and_count_once(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    post_id = await world.post(ann)

    async def edit(author_id: UserId, text: str | None, visibility: str | None) -> UpdatedPostRow | None:
        return await world.write(
            lambda db: db.posts.update_post(
                post_id=post_id,
                author_id=author_id,
                text=text,
                entities=None,
                visibility=visibility,
                replies=None,
                sensitive=None,
            )
        )

    assert await edit(bob, "stolen", None) is None
    assert await edit(ann, "hello", None) == UpdatedPostRow(1, changed=False, earlier_visibility="public")
    same = await read(world, ann, post_id)
    assert same is not None and same.edited_at is None
    assert await edit(ann, None, "followers") == UpdatedPostRow(2, changed=True, earlier_visibility="public")
    changed = await read(world, ann, post_id)
    assert changed is not None and changed.edited_at is not None
    assert (changed.text, changed.visibility, changed.version) == ("hello", "followers", 2)

    foreign = await world.write(lambda db: db.posts.delete_post(post_id=post_id, author_id=bob))
    assert foreign is None
    answers = await world.at_once([lambda db: delete(db, ann, post_id)] * 8)
    assert Counter(answers) == {DeletedPostRow("followers"): 1, DeletedPostRow(None): 7}
    assert await post_count(world, ann) == 0
    assert await read(world, ann, post_id) is None
    assert await edit(ann, "late", None) is None


async def stamp(world: World, post_id: PostId) -> int:
    changed: int = await world.value("SELECT changed FROM posts WHERE id = $1", post_id)
    return changed


async def test_what_readers_see_of_a_post_moves_its_stamp_and_no_counter_does(world: World) -> None:
    ann = await world.person("ann")
    post_id = await world.post(ann, "first")
    stamps = [await stamp(world, post_id)]

    def edit(text: str | None, visibility: str | None) -> Callable[[Database], Awaitable[UpdatedPostRow | None]]:
        return lambda db: db.posts.update_post(
            post_id=post_id,
            author_id=ann,
            text=text,
            entities=None,
            visibility=visibility,
            replies=None,
            sensitive=None,
        )

    for act in (edit("second", None), edit(None, "followers")):
        await world.write(act)
        stamps.append(await stamp(world, post_id))
    await world.comment(post_id, ann)
    for wanted in (True, False):
        await world.write(lambda db, wanted=wanted: db.posts.set_like(post_id=post_id, user_id=ann, wanted=wanted))  # type: ignore[misc]
    await world.write(edit("second", "followers"))
    assert await stamp(world, post_id) == stamps[-1]
    for _ in range(2):
        await world.write(lambda db: db.posts.delete_post(post_id=post_id, author_id=ann))
        stamps.append(await stamp(world, post_id))
    assert stamps[-1] == stamps[-2]
    assert stamps[:-1] == sorted(set(stamps)), "each change has another stamp"


async def test_nothing_that_was_written_is_left_of_a_deleted_post(world: World) -> None:
    ann = await world.person("ann")
    made = await world.write(
        lambda db: db.posts.insert_post(
            author_id=ann,
            kind="link",
            text="t",
            link="https://example.org",
            entity_set={},
            visibility="public",
            replies_from="everyone",
            sensitive=False,
            poll=None,
            client_id="once",
        )
    )
    assert made is not None
    await world.write(lambda db: db.posts.delete_post(post_id=made.id, author_id=ann))
    (left,) = await world.rows(
        "SELECT text, link, version, deleted_at < now() AS gone FROM posts WHERE id = $1", made.id
    )
    assert tuple(left) == ("", None, 2, True)


async def test_deleted_posts_go_in_parts_with_their_likes_and_comments(world: World) -> None:
    ann, *fans = await world.people("ann", "fan", "fan", "fan")
    old, recent, kept = [await world.post(ann) for _ in range(3)]
    for post_id in (old, recent, kept):
        for fan in fans:
            await world.write(
                lambda db, fan=fan, post_id=post_id: db.posts.set_like(post_id=post_id, user_id=fan, wanted=True)  # type: ignore[misc]
            )
        first = await world.comment(post_id, ann)
        await world.comment(post_id, fans[0])
        await world.comment(post_id, ann, await world.comment(post_id, fans[0], first))
    for post_id in (old, recent):
        await world.write(lambda db, post_id=post_id: db.posts.delete_post(post_id=post_id, author_id=ann))  # type: ignore[misc]
    now = datetime.datetime.now(datetime.UTC)
    await world.execute("UPDATE posts SET deleted_at = $1 WHERE id = $2", now - datetime.timedelta(days=32), old)

    async def rows_of(post_id: PostId) -> tuple[int, int, int]:
        counted = [
            await world.value(f"SELECT count(*) FROM {table} WHERE {column} = $1", post_id)
            for table, column in (("posts", "id"), ("post_likes", "post_id"), ("comments", "post_id"))
        ]
        return counted[0], counted[1], counted[2]

    left, amounts = [], []
    while amount := await world.write(
        lambda db: db.posts.delete_old_posts(deleted_before=now - datetime.timedelta(days=31), row_limit=2)
    ):
        amounts.append(amount)
        left.append(await rows_of(old))
    assert left == [(1, 1, 2), (1, 0, 0), (0, 0, 0)]
    assert amounts == [4, 3, 1]
    assert [await rows_of(recent), await rows_of(kept)] == [(1, 3, 4)] * 2


async def test_a_deleted_post_that_is_locked_is_left_for_another_time(world: World) -> None:
    ann = await world.person("ann")
    post_id = await world.post(ann)
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
    while await world.write(lambda db: db.posts.delete_old_posts(deleted_before=soon, row_limit=1_000)):
        pass  # those of other tests
    await world.write(lambda db: db.posts.delete_post(post_id=post_id, author_id=ann))
    async with world.units.write() as holder:
        await holder.posts.lock_post(post_id=post_id)
        assert await world.write(lambda db: db.posts.delete_old_posts(deleted_before=soon, row_limit=9)) == 0
    assert await world.write(lambda db: db.posts.delete_old_posts(deleted_before=soon, row_limit=9)) == 1


_COUNTED = """
    SELECT (post_count, followers_post_count, public_post_count) = (
        SELECT count(*), count(*) FILTER (WHERE visibility <> 'private'), count(*) FILTER (WHERE visibility = 'public')
        FROM posts p
        WHERE p.author_id = u.id AND p.deleted_at IS NULL
    )
    FROM users u
    WHERE u.id = $1
"""


async def edit(db: Database, author_id: UserId, post_id: PostId, visibility: str | None) -> object:
    await db.people.lock_users(user_ids=[author_id])
    return await db.posts.update_post(
        post_id=post_id,
        author_id=author_id,
        text="new",
        entities=None,
        visibility=visibility,
        replies=None,
        sensitive=None,
    )


async def delete(db: Database, author_id: UserId, post_id: PostId) -> DeletedPostRow | None:
    await db.people.lock_users(user_ids=[author_id])
    return await db.posts.delete_post(post_id=post_id, author_id=author_id)


@pytest.mark.parametrize("then", ["public", "private", None, "deleted"])
@pytest.mark.parametrize("first", ["followers", "private", None, "deleted"])
async def test_a_change_of_a_post_counts_on_from_the_one_that_it_waited_for(
    world: World, first: str | None, then: str | None
) -> None:
    ann = await world.person("ann")
    post_id = await world.post(ann)

    async def change(db: Database, to: str | None) -> None:
        await (delete(db, ann, post_id) if to == "deleted" else edit(db, ann, post_id, to))

    async with world.units.write() as unit:
        await change(unit, first)
        second = asyncio.create_task(world.write(lambda db: change(db, then)))
        await world.until_one_waits_for(unit)
    await second
    assert await world.value(_COUNTED, ann)


@pytest.mark.parametrize("seed", range(3))
async def test_the_three_counts_of_posts_are_exact_whatever_happens_at_once(world: World, seed: int) -> None:
    ann, chance = await world.person("ann"), random.Random(seed)
    kinds = ("public", "followers", "private")
    posts = [await world.post(ann, visibility=chance.choice(kinds)) for _ in range(4)]

    def act() -> Callable[[Database], Awaitable[object]]:
        post_id, visibility = chance.choice(posts), chance.choice((*kinds, None))
        match chance.choice(("edit", "edit", "edit", "delete", "create")):
            case "create":
                return lambda db: db.posts.insert_post(
                    author_id=ann,
                    kind="text",
                    text="",
                    link=None,
                    entity_set={},
                    visibility=visibility or "public",
                    replies_from="everyone",
                    sensitive=False,
                    poll=None,
                    client_id=None,
                )
            case "delete":
                return lambda db: delete(db, ann, post_id)
        return lambda db: edit(db, ann, post_id, visibility)

    for _ in range(10):
        await world.at_once([act() for _ in range(8)])
        assert await world.value(_COUNTED, ann)
        posts += [await world.post(ann, visibility=kind) for kind in kinds]


async def test_likes_are_exact_under_concurrent_repeats(world: World) -> None:
    people = await world.people(*["fan"] * 6)
    post_id = await world.post(people[0])

    def like(user_id: UserId, wanted: bool) -> Callable[[Database], Awaitable[LikeRow | None]]:
        return lambda db: db.posts.set_like(post_id=post_id, user_id=user_id, wanted=wanted)

    repeats = await world.at_once([like(people[0], True)] * 20)
    assert Counter(row.changed for row in repeats if row is not None) == {True: 1, False: 19}
    await world.at_once([like(person, step % 3 != 0) for step, person in enumerate(people * 30)])
    counted, rows = await like_count(world, post_id)
    assert counted == rows
    await world.at_once([like(person, False) for person in people * 2])
    assert await like_count(world, post_id) == (0, 0)


@pytest.mark.parametrize("joined", [False, True], ids=["in a unit", "joined"])
async def test_a_like_answers_the_count_and_whether_it_changed_anything(world: World, joined: bool) -> None:
    ann, bob = await world.people("ann", "bob")
    post_id = await world.post(ann)

    async def like(user_id: UserId, wanted: bool, post_id: PostId = post_id) -> LikeRow | None:
        if joined:
            return await world.units.single_writes.posts.set_like(post_id=post_id, user_id=user_id, wanted=wanted)
        return await world.write(lambda db: db.posts.set_like(post_id=post_id, user_id=user_id, wanted=wanted))

    assert await like(ann, False) == LikeRow(False, 0)
    assert await like(ann, True) == LikeRow(True, 1)
    assert await like(bob, True) == LikeRow(True, 2)
    assert await like(bob, True) == LikeRow(False, 2)
    assert await like(ann, False) == LikeRow(True, 1)
    post = await read(world, bob, post_id)
    assert post is not None and (post.like_count, post.comment_count, post.share_count) == (1, 0, 0)
    await world.write(lambda db: db.posts.delete_post(post_id=post_id, author_id=ann))
    assert await like(ann, True) is None
    assert await like(bob, False) == LikeRow(True, 0)
    assert await like(bob, False) == LikeRow(False, 0)
    assert await like(ann, True, NOTHING) is None
    assert await like(ann, False, NOTHING) is None
    assert await like_count(world, post_id) == (0, 0)


async def test_likers_come_latest_first_in_pages_and_without_the_blocked(world: World) -> None:
    ann, *fans = await world.people("ann", "fan", "fan", "fan", "fan")
    post_id = await world.post(ann)
    async with world.units.write() as db:
        for fan in fans:
            await db.posts.set_like(post_id=post_id, user_id=fan, wanted=True)
    await world.block(fans[2], ann)

    async def page(viewer_id: UserId, before: LikeId) -> list[tuple[LikeId, UserId]]:
        rows = await world.read(
            lambda db: db.posts.list_likers(viewer_id=viewer_id, post_id=post_id, before=before, page_size=2)
        )
        return [(row.like_id, row.user.id) for row in rows]

    first = await page(ann, LikeId(MAX_ID))
    assert [user_id for _, user_id in first] == [fans[3], fans[1]]
    assert [user_id for _, user_id in await page(ann, first[-1][0])] == [fans[0]]
    assert [user_id for _, user_id in await page(fans[0], LikeId(MAX_ID))] == [fans[3], fans[2]]


@pytest.mark.parametrize("visibility", ["public", "followers", "private"])
async def test_sql_and_access_rules_agree_on_who_sees_what(world: World, visibility: str) -> None:
    for *case, followers_only in itertools.product([False, True], repeat=6):
        relation = RelationRow(*case)._replace(followers_only=followers_only)
        in_sql = await world.value(
            "SELECT may_see_content($1, $2, $3, $4, $5, $6)",
            visibility, relation.is_self, relation.follows, relation.blocks, relation.blocked_by, followers_only,
        )  # fmt: skip
        assert in_sql == may_see_content(relation, visibility), relation


async def test_lists_hold_only_what_the_viewer_may_see(world: World) -> None:
    ann, follower, stranger, blocked = await world.people("ann", "follower", "stranger", "blocked")
    await world.follow(follower, ann)
    await world.block(ann, blocked)
    ids = {name: await world.post(ann, visibility=name) for name in ("public", "followers", "private")}
    deleted = await world.post(ann)
    await world.write(lambda db: db.posts.delete_post(post_id=deleted, author_id=ann))
    seen = {
        ann: [ids["private"], ids["followers"], ids["public"]],
        follower: [ids["followers"], ids["public"]],
        stranger: [ids["public"]],
        blocked: [],
    }
    for viewer, expected in seen.items():
        async with world.units.write() as db:
            listed = await db.posts.list_posts(
                viewer_id=viewer, author_id=ann, before=PostId(MAX_ID), skip=0, page_size=20
            )
        assert [post.id for post in listed] == expected


async def test_an_authors_posts_are_paged_without_skip_or_repeat_while_posts_arrive(world: World) -> None:
    ann = await world.person("ann")
    expected = [await world.post(ann) for _ in range(7)][::-1]
    found: list[PostId] = []
    before = PostId(MAX_ID)
    async with world.units.write() as db:
        while page := await db.posts.list_posts(viewer_id=ann, author_id=ann, before=before, skip=0, page_size=3):
            found += [post.id for post in page]
            before = page[-1].id
            await world.post(ann)
    assert found == expected
