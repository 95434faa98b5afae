"""Commands, pushes and Facts of polls; a poll is made with its post, by `post:create`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from handlers.polls.models import OPTIONS_MAX, Poll
from handlers.posts.contract import EXAMPLE_ID, NAMESPACE, PostFactData
from handlers.subjects import below_post
from realtime.contract.declarations import Command, Fact, Push, Repeat, Route
from realtime.contract.errors import CONFLICT, NOT_FOUND
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import Id, Model, Payload, WireId

_VOTES = RateLimit(120, 60)


def _each_once(choices: list[int]) -> list[int]:
    if len(set(choices)) < len(choices):
        raise ValueError("must name each option only once")
    return sorted(choices)


class Vote(Payload):
    """`choices` are the places of options, counted from 0; several only where the poll takes several."""

    post_id: Id
    choices: Annotated[
        list[Annotated[int, Field(ge=0, lt=OPTIONS_MAX)]],
        Field(max_length=OPTIONS_MAX, json_schema_extra={"uniqueItems": True}),
        AfterValidator(_each_once),
    ]


class VoteAck(Model):
    """The poll as the caller sees it now; `voted` are the caller's choices."""

    post_id: WireId
    poll: Poll
    voted: list[int]


class PollCounts(Model):
    post_id: WireId
    vote_count: int


POLL_CLOSED = Fact(name="poll.closed", model=PostFactData, key="author_id")
"""The time of a poll is over."""

POLL_VOTE = Command(
    name="poll:vote",
    namespace=NAMESPACE,
    payload=Vote,
    ack=VoteAck,
    effect=(
        "Votes in a poll, in place of an earlier vote of the caller; no choices take it back. `conflict` once the poll "
        "is closed."
    ),
    repeat=Repeat.SETS_STATE,
    rate=_VOTES,
    example={"post_id": EXAMPLE_ID, "choices": [0]},
    errors=(NOT_FOUND, CONFLICT),
    routes=(Route("PUT", "/posts/{post_id}/vote"),),
)

POLL_COUNTERS = Push(
    name="poll:counters",
    namespace=NAMESPACE,
    model=PollCounts,
    audience="Watchers of the post: how many have voted. It does not tell what they chose.",
    volatile=True,
    subjects_of=lambda counts: (below_post(int(counts.post_id)),),
)
