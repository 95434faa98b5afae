"""Posts in answers, each encoded once for all who read it.

The body of a post is its JSON without what differs from reader to reader or moves without a change of the post: these
fields are its last ones, and `_whole` puts them in at each read. SQL decides at each read which posts are shown, and
names their present state; a body that was kept is found by this state only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import orjson

from handlers.access import may_see_content
from handlers.context import Context
from handlers.polls.views import poll_view
from handlers.posts.contract import PostAck
from handlers.posts.views import bare_post_view
from realtime.contract.encoded import Encoded
from realtime.contract.wire import encode_model
from sql.ids import PostId
from sql.polls import ReadPollRow
from sql.posts import PostRow, PostStateRow


class Inside(NamedTuple):
    """What posts show beside their own content: their polls, and the JSON of the posts that they share."""

    polls: Mapping[PostId, ReadPollRow]
    shared: Mapping[PostId, bytes]


_COUNTS: Final = b',"like_count":%d,"comment_count":%d,"share_count":%d'
_VIEWER: Final = b',"viewer":{"liked":%b,"bookmarked":%b,"may_comment":%b%b}'
_FALSE_TRUE: Final = (b"false", b"true")


async def posts_json(ctx: Context, states: Sequence[PostStateRow]) -> list[bytes]:
    """JSON of the posts in these states. Those whose body is not kept are read, as the caller gets them now: one that
    the caller does not see any more is left out.
    """
    return [post for post in await each_post_json(ctx, states) if post is not None]


async def each_post_json(ctx: Context, states: Sequence[PostStateRow]) -> list[bytes | None]:
    """The same in the places of the states, with None for a post that is left out."""
    bodies = ctx.services.bodies.get_many([state[:3] for state in states])
    read = await _read(ctx, [state for state, body in zip(states, bodies, strict=True) if body is None])
    kept = [state for state, body in zip(states, bodies, strict=True) if body is not None]
    inside = await _inside(ctx, kept)
    return [
        read.get(state.id) if body is None else _whole(body, state, inside)
        for state, body in zip(states, bodies, strict=True)
    ]


async def post_json(ctx: Context, row: PostRow) -> bytes:
    """JSON of a post as the viewer of this row gets it."""
    return _whole(_kept_body(ctx, row), row, await _inside(ctx, [row]))


async def post_ack(ctx: Context, row: PostRow) -> Encoded[PostAck]:
    """The answer with a post as the viewer of this row gets it."""
    return Encoded(b'{"post":' + await post_json(ctx, row) + b"}")


def body_of(row: PostRow) -> bytes:
    """What is kept of a post: its JSON up to the counts, which begin its last fields."""
    json, counts = encode_model(bare_post_view(row)), _counts(row) + b"}"
    if not json.endswith(counts):
        raise ValueError("the counts are not the last fields of a post")
    return json.removesuffix(counts)


def _whole(body: bytes, post: PostStateRow | PostRow, inside: Inside) -> bytes:
    """A post as one reader gets it. What is put in stands in the order of the fields of `Post`."""
    poll = inside.polls.get(post.id)
    shared = None if post.shared_id is None else inside.shared.get(post.shared_id)
    return b"".join(
        (body, _counts(post), b"" if shared is None else b',"shared":' + shared, _poll(poll), _viewer(post, poll), b"}")
    )


def _counts(post: PostStateRow | PostRow) -> bytes:
    return _COUNTS % (post.like_count, post.comment_count, post.share_count)


def _poll(read: ReadPollRow | None) -> bytes:
    if read is None:
        return b""
    shows_results = read.is_own or read.choices is not None
    return b',"poll":' + encode_model(poll_view(read.poll, shows_results=shows_results))


def _viewer(post: PostStateRow | PostRow, poll: ReadPollRow | None) -> bytes:
    return _VIEWER % (
        _FALSE_TRUE[post.viewer_liked],
        _FALSE_TRUE[post.viewer_bookmarked],
        _FALSE_TRUE[post.viewer_may_comment],
        b"" if poll is None or poll.choices is None else b',"voted":' + orjson.dumps(poll.choices),
    )


async def _inside(ctx: Context, posts: Sequence[PostStateRow | PostRow]) -> Inside:
    """What these posts show that is read for the caller; nothing is read where none does."""
    return Inside(await _polls(ctx, posts), await _shared(ctx, posts))


async def _polls(ctx: Context, posts: Sequence[PostStateRow | PostRow]) -> dict[PostId, ReadPollRow]:
    post_ids = [post.id for post in posts if post.is_poll]
    if not post_ids:
        return {}
    rows = await ctx.db.polls.read_polls(viewer_id=ctx.user_id, post_ids=post_ids)
    return {row.post_id: row for row in rows}


async def _shared(ctx: Context, posts: Sequence[PostStateRow | PostRow]) -> dict[PostId, bytes]:
    """JSON of the posts that these share, as far as the caller sees them. A shared post shares nothing itself."""
    ids = {post.shared_id for post in posts if post.shared_id is not None}
    if not ids:
        return {}
    states = await ctx.db.shares.visible_posts(viewer_id=ctx.user_id, post_ids=list(ids))
    found = zip(states, await each_post_json(ctx, states), strict=True)
    return {state.id: post for state, post in found if post is not None}


async def _read(ctx: Context, missing: Sequence[PostStateRow]) -> dict[PostId, bytes]:
    if not missing:
        return {}
    rows = await ctx.db.posts.read_posts(viewer_id=ctx.user_id, post_ids=[state.id for state in missing])
    seen = [row for row in rows if may_see_content(row.viewer, row.visibility)]
    inside = await _inside(ctx, seen)
    return {row.id: _whole(_kept_body(ctx, row), row, inside) for row in seen}


def _kept_body(ctx: Context, row: PostRow) -> bytes:
    bodies, key = ctx.services.bodies, (row.id, row.changed, row.author_changed)
    body = bodies.get(key)
    if body is None:
        body = body_of(row)
        bodies.put(key, body)
    return body
