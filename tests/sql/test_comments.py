from collections import Counter
from functools import partial

import pytest

from realtime.contract.wire import unix_ms
from sql.comments import CommentRow, DeletedCommentRow
from sql.database import Database
from sql.ids import MAX_ID, CommentId, PostId, UserId, ms_of_id
from tests.sql.world import World

NOTHING = CommentId(1)


async def delete(world: World, post_id: PostId, comment_id: CommentId) -> DeletedCommentRow | None:
    async def act(db: Database) -> DeletedCommentRow | None:
        await db.posts.lock_post(post_id=post_id)
        return await db.comments.delete_comment(comment_id=comment_id)

    return await world.write(act)


async def listed(
    world: World, viewer_id: UserId, post_id: PostId, parent_id: CommentId | None = None
) -> list[CommentRow]:
    async with world.units.write() as db:
        if parent_id is None:
            return await db.comments.list_comments(
                viewer_id=viewer_id, post_id=post_id, before=CommentId(MAX_ID), page_size=100
            )
        return await db.comments.list_replies(
            viewer_id=viewer_id,
            post_id=post_id,
            parent_id=parent_id,
            before=CommentId(MAX_ID),
            page_size=100,
        )


async def shown(world: World, viewer_id: UserId, post_id: PostId) -> list[CommentRow]:
    """The whole tree as a reader gets it by opening every comment that claims to have replies."""
    found: list[CommentRow] = []
    to_open: list[CommentId | None] = [None]
    while to_open:
        for comment in await listed(world, viewer_id, post_id, to_open.pop()):
            found.append(comment)
            if comment.reply_count:
                to_open.append(comment.id)
    return found


async def comment_count(world: World, post_id: PostId) -> int:
    counted: int = await world.value("SELECT comment_count FROM posts WHERE id = $1", post_id)
    return counted


async def test_ids_and_times_follow_the_order_of_comments_also_where_the_clock_goes_back(world: World) -> None:
    ann = await world.person("ann")
    post_id = await world.post(ann)
    ahead = await world.value("SELECT id_at(now() + interval '1 hour')")
    await world.execute("UPDATE posts SET last_comment_id = $2 WHERE id = $1", post_id, ahead)
    made = [await world.comment(post_id, ann)]
    made += [await world.comment(post_id, ann, parent_id=made[0]) for _ in range(3)]
    assert [ahead, *made] == sorted({ahead, *made})
    rows = [*await listed(world, ann, post_id), *await listed(world, ann, post_id, made[0])]
    assert {row.id: unix_ms(row.created_at) for row in rows} == {
        comment_id: ms_of_id(comment_id) for comment_id in made
    }


async def test_comments_and_replies_are_counted_and_listed(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    post_id = await world.post(ann)
    first = await world.comment(post_id, bob)
    second = await world.comment(post_id, ann)
    reply = await world.comment(post_id, ann, parent_id=first)
    assert await comment_count(world, post_id) == 3
    top = await listed(world, ann, post_id)
    assert [(comment.id, comment.reply_count) for comment in top] == [(second, 0), (first, 1)]
    (answer,) = await listed(world, ann, post_id, first)
    assert (answer.id, answer.parent_id, answer.text, answer.is_deleted) == (reply, first, "well", False)
    assert (answer.author.id, answer.viewer.is_self, answer.client_id, answer.like_count) == (ann, True, None, 0)
    one = await world.read(lambda db: db.comments.read_comment(viewer_id=ann, comment_id=first))
    assert one == top[1]


async def test_a_repeated_client_id_makes_one_comment_however_many_try_at_once(world: World) -> None:
    ann = await world.person("ann")
    post_id = await world.post(ann)

    async def create(db: Database) -> CommentId | None:
        made = await db.comments.insert_comment(
            post_id=post_id, parent_id=None, author_id=ann, text="x", client_id="once", id_limit=9
        )
        return made and made.comment.id

    made = [comment_id for comment_id in await world.at_once([create] * 10) if comment_id is not None]
    assert len(made) == 1
    assert await comment_count(world, post_id) == 1
    found = await world.read(lambda db: db.comments.find_comment(author_id=ann, client_id="once"))
    assert found == made[0]


@pytest.mark.parametrize("case", ["no post", "deleted post", "no parent", "parent of another post", "deleted parent"])
async def test_nothing_is_written_where_there_is_nothing_to_answer(world: World, case: str) -> None:
    ann = await world.person("ann")
    post_id, other_post = await world.post(ann), await world.post(ann)
    parent_id = None if "post" in case and "parent" not in case else NOTHING
    if case == "no post":
        post_id = PostId(1)
    elif case == "deleted post":
        await world.write(lambda db: db.posts.delete_post(post_id=post_id, author_id=ann))
    elif case == "parent of another post":
        parent_id = await world.comment(other_post, ann)
    elif case == "deleted parent":
        parent_id = await world.comment(post_id, ann)
        await delete(world, post_id, parent_id)
    made = await world.write(
        lambda db: db.comments.insert_comment(
            post_id=post_id, parent_id=parent_id, author_id=ann, text="x", client_id=None, id_limit=9
        )
    )
    assert made is None
    assert await world.value("SELECT count(*) FROM comments WHERE post_id = $1 AND deleted_at IS NULL", post_id) == 0


async def test_a_deleted_comment_stays_as_a_tombstone_while_it_has_replies(world: World) -> None:
    ann = await world.person("ann")
    post_id = await world.post(ann)
    top = await world.comment(post_id, ann)
    reply = await world.comment(post_id, ann, parent_id=top)
    answer = await world.comment(post_id, ann, parent_id=reply)

    assert await delete(world, post_id, top) == DeletedCommentRow(post_id, 2, True)
    assert await delete(world, post_id, top) is None
    assert await delete(world, post_id, reply) == DeletedCommentRow(post_id, 1, True)
    tree = await shown(world, ann, post_id)
    assert [(comment.id, comment.is_deleted) for comment in tree] == [(top, True), (reply, True), (answer, False)]

    assert await delete(world, post_id, answer) == DeletedCommentRow(post_id, 0, False)
    assert await shown(world, ann, post_id) == []


async def test_a_parent_loses_a_reply_when_the_last_reply_below_it_is_hidden(world: World) -> None:
    ann = await world.person("ann")
    post_id = await world.post(ann)
    top = await world.comment(post_id, ann)
    middle = await world.comment(post_id, ann, parent_id=top)
    leaf = await world.comment(post_id, ann, parent_id=middle)
    await delete(world, post_id, middle)
    (before,) = await listed(world, ann, post_id)
    assert before.reply_count == 1
    await delete(world, post_id, leaf)
    (after,) = await listed(world, ann, post_id)
    assert (after.id, after.reply_count) == (top, 0)


async def test_counts_are_exact_while_many_comment_and_delete_at_once(world: World) -> None:
    people = await world.people("a", "b", "c")
    post_id = await world.post(people[0])
    comments = [await world.comment(post_id, people[0])]
    for step in range(40):
        comments.append(await world.comment(post_id, people[step % 3], parent_id=comments[step // 3]))

    async def remove(db: Database, comment_id: CommentId) -> str:
        await db.posts.lock_post(post_id=post_id)
        gone = await db.comments.delete_comment(comment_id=comment_id)
        return "deleted" if gone else "was deleted"

    async def answer(db: Database, comment_id: CommentId) -> str:
        made = await db.comments.insert_comment(
            post_id=post_id, parent_id=comment_id, author_id=people[1], text="x", client_id=None, id_limit=9
        )
        return "answered" if made else "was gone"

    acts = [partial(act, comment_id=comment_id) for comment_id in comments[::2] for act in (remove, answer, remove)]
    done = Counter(await world.at_once(acts))
    assert done["deleted"] == len(comments[::2])
    tree = await shown(world, people[2], post_id)
    assert await comment_count(world, post_id) == sum(not comment.is_deleted for comment in tree)
    assert await comment_count(world, post_id) == len(comments) - done["deleted"] + done["answered"]
    children = Counter(comment.parent_id for comment in tree)
    assert all(comment.reply_count == children[comment.id] for comment in tree)


async def test_comments_of_the_blocked_are_left_out_in_both_directions(world: World) -> None:
    ann, bob, cat = await world.people("ann", "bob", "cat")
    post_id = await world.post(cat)
    of_ann, of_bob = await world.comment(post_id, ann), await world.comment(post_id, bob)
    await world.block(ann, bob)
    assert [comment.id for comment in await listed(world, ann, post_id)] == [of_ann]
    assert [comment.id for comment in await listed(world, bob, post_id)] == [of_bob]
    assert [comment.id for comment in await listed(world, cat, post_id)] == [of_bob, of_ann]


async def test_a_comment_is_hidden_from_those_with_a_block_in_its_thread(world: World) -> None:
    ann, bob, cid, dan = await world.people("ann", "bob", "cid", "dan")
    post_id = await world.post(ann)
    top = await world.comment(post_id, bob)
    reply = await world.comment(post_id, ann, parent_id=top)
    await world.block(bob, cid)
    await world.block(dan, ann)

    async def hidden(comment_id: CommentId, id_limit: int = 10) -> set[UserId]:
        return set(await world.read(lambda db: db.comments.hidden_from(comment_id=comment_id, id_limit=id_limit)))

    answer = await world.write(
        lambda db: db.comments.insert_comment(
            post_id=post_id, parent_id=reply, author_id=cid, text="x", client_id=None, id_limit=9
        )
    )
    assert answer is not None
    assert set(answer.hidden_from) == {bob, cid, dan} == await hidden(answer.comment.id)
    assert answer.comment == await world.read(
        lambda db: db.comments.read_comment(viewer_id=cid, comment_id=answer.comment.id)
    )
    assert await hidden(top) == {cid}
    assert await hidden(reply) == {cid, dan}
    assert len(await hidden(reply, id_limit=1)) == 1
    await delete(world, post_id, top)
    assert await hidden(reply) == {cid, dan}, "what was hidden does not appear when it is deleted"


async def test_comments_are_paged(world: World) -> None:
    ann = await world.person("ann")
    post_id = await world.post(ann)
    made = [await world.comment(post_id, ann) for _ in range(5)]
    page = await world.read(
        lambda db: db.comments.list_comments(viewer_id=ann, post_id=post_id, before=made[3], page_size=2)
    )
    assert [comment.id for comment in page] == [made[2], made[1]]
