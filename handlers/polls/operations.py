"""The use case of polls."""

from __future__ import annotations

from handlers.access import may_see_content, require_visible
from handlers.context import Context, Outcome
from handlers.polls.contract import POLL_COUNTERS, PollCounts, Vote, VoteAck
from handlers.polls.views import poll_view
from handlers.posts.rooms import post_room
from realtime.contract.emissions import ToRoom, emission
from realtime.contract.errors import CONFLICT, INVALID_PAYLOAD, NOT_FOUND, CommandError
from sql.ids import PostId
from sql.polls import PollRow


async def vote(ctx: Context, cmd: Vote) -> Outcome[VoteAck]:
    post_id = PostId(cmd.post_id)
    post = await ctx.db.posts.read_post(viewer_id=ctx.user_id, post_id=post_id)
    if post is None:
        raise CommandError(NOT_FOUND)
    require_visible(may_see_content(post.viewer, post.visibility))
    if post.poll is None:
        raise CommandError(NOT_FOUND, "This post has no poll.")
    _require_choosable(post.poll, cmd.choices)
    await ctx.db.posts.lock_post(post_id=post_id)
    row = await ctx.db.polls.set_vote(post_id=post_id, user_id=ctx.user_id, choices=cmd.choices)
    if row is None:
        raise CommandError(CONFLICT, "This poll is closed.")
    poll = post.poll._replace(counts=row.counts, voter_count=row.voter_count)
    shows_results = bool(cmd.choices) or post.viewer.is_self
    ack = VoteAck(post_id=post_id, poll=poll_view(poll, shows_results=shows_results), voted=cmd.choices)
    room = post_room(post_id, post.author.id, post.visibility)
    counts = PollCounts(post_id=post_id, vote_count=row.voter_count)
    return Outcome(ack, pushes=(emission(POLL_COUNTERS, counts, ToRoom(room)),))


def _require_choosable(poll: PollRow, choices: list[int]) -> None:
    """Raises `invalid_payload` where the poll does not have such a choice."""
    fault = None
    if len(choices) > 1 and not poll.multiple:
        fault = "must be one: this poll takes one choice"
    elif any(choice >= len(poll.options) for choice in choices):
        fault = f"must be below {len(poll.options)}: so many options there are"
    if fault is not None:
        raise CommandError(INVALID_PAYLOAD, fields={"choices": fault})
