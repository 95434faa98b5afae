"""Polls: what they ask is a part of their post, and how many have voted is counted on it."""

import datetime
from typing import NamedTuple, Protocol

from sql.execution.joining import joined
from sql.ids import PostId, UserId


class PollRow(NamedTuple):
    options: list[str]
    multiple: bool
    closes_at: datetime.datetime
    counts: list[int]
    """Of each option."""
    voter_count: int
    is_closed: bool
    """By the clock."""


class ReadPollRow(NamedTuple):
    """A poll as one viewer gets it."""

    post_id: PostId
    is_own: bool
    choices: list[int] | None
    """None: the viewer has not voted."""
    poll: PollRow


class VotedRow(NamedTuple):
    counts: list[int]
    voter_count: int


class PollQueries(Protocol):
    """To vote: first `posts.lock_post`, in a statement of its own."""

    @joined
    async def read_polls(self, *, viewer_id: UserId, post_ids: list[PostId]) -> list[ReadPollRow]:
        """Those of these posts that have one, in no order. Access is not checked."""
        ...

    async def set_vote(self, *, post_id: PostId, user_id: UserId, choices: list[int]) -> VotedRow | None:
        """Replaces the user's vote; none takes it back. None: there is no open poll. Access is not checked."""
        ...

    async def close_polls(self, *, batch_size: int) -> int:
        """Closes polls whose time is over, each with its Facts; returns how many."""
        ...
