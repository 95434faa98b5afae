"""Posts in answers, each encoded once for all who read it.

The body of a post is its JSON without what differs from reader to reader or moves without a change of the post: these
fields are added at each read. SQL decides at each read which posts are shown, and names their present state; a body
that was kept is found by this state only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from handlers.access import may_see_content
from handlers.context import Context
from handlers.posts.contract import PostAck
from handlers.posts.views import pushed_post_view
from realtime.contract.encoded import Encoded
from realtime.contract.wire import encode_model
from sql.ids import PostId
from sql.posts import PostRow, PostStateRow

_COUNTS: Final = b',"like_count":%d,"comment_count":%d,"share_count":%d}'
_COUNTS_NOT_LIKED: Final = _COUNTS[:-1] + b',"viewer":{"liked":false}}'
_COUNTS_LIKED: Final = _COUNTS[:-1] + b',"viewer":{"liked":true}}'


async def posts_json(ctx: Context, states: Sequence[PostStateRow]) -> list[bytes]:
    """JSON of the posts in these states. Those whose body is not kept are read, as the caller gets them now: one that
    the caller does not see any more is left out.
    """
    bodies = ctx.services.bodies.get_many([state[:3] for state in states])
    read = await _read(ctx, [state for state, body in zip(states, bodies, strict=True) if body is None])
    return [
        read[post_id]
        if body is None
        else body + (_COUNTS_LIKED if is_liked else _COUNTS_NOT_LIKED) % (like_count, comment_count, share_count)
        for (post_id, _, _, like_count, comment_count, share_count, is_liked), body in zip(states, bodies, strict=True)
        if body is not None or post_id in read
    ]


def post_ack(ctx: Context, row: PostRow) -> Encoded[PostAck]:
    """The answer with a post as the viewer of this row gets it."""
    return Encoded(b'{"post":' + _post_json(ctx, row) + b"}")


def body_of(row: PostRow) -> bytes:
    """What is kept of a post: its JSON up to the counts, which are its last fields."""
    json, counts = encode_model(pushed_post_view(row)), _COUNTS % (row.like_count, row.comment_count, row.share_count)
    if not json.endswith(counts):
        raise ValueError("the counts are not the last fields of a post")
    return json.removesuffix(counts)


async def _read(ctx: Context, missing: Sequence[PostStateRow]) -> dict[PostId, bytes]:
    if not missing:
        return {}
    rows = await ctx.db.posts.read_posts(viewer_id=ctx.user_id, post_ids=[state.id for state in missing])
    return {row.id: _post_json(ctx, row) for row in rows if may_see_content(row.viewer, row.visibility)}


def _post_json(ctx: Context, row: PostRow) -> bytes:
    bodies, key = ctx.services.bodies, (row.id, row.changed, row.author_changed)
    body = bodies.get(key)
    if body is None:
        body = body_of(row)
        bodies.put(key, body)
    added = _COUNTS_LIKED if row.viewer_liked else _COUNTS_NOT_LIKED
    return body + added % (row.like_count, row.comment_count, row.share_count)
