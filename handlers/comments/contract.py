"""Commands of comments on a post: create, list, delete."""

from __future__ import annotations

from typing import Annotated, Literal

from handlers.limits import COMMENT_CHARS
from handlers.people.models import Card
from handlers.subjects import below_post, comment_subject, person_subject
from realtime.contract.declarations import Command, Push, Repeat, Route, Subject, Unit
from realtime.contract.errors import CONFLICT, FORBIDDEN, NOT_FOUND
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import ClientId, Id, Model, Nothing, Page, PageLimit, Payload, TextRule, WireId

NAMESPACE = "/posts"
HIDDEN_FROM_MAX = 5_000
"""Of the people who are not told of a comment; where there are more, watchers read the comments again."""
EXAMPLE_POST_ID = "185604284416000002"
EXAMPLE_COMMENT_ID = "185604284416000003"


_PARENT = {"parent_comment_id": "parent_id"}


class Comment(Model):
    """A comment; `parent_id` is the comment that it replies to, absent for a comment on the post itself.

    A deleted comment with replies stays in its place, with `deleted`, an empty text and no author. A block that hid it
    and the replies below it hides them still.
    """

    id: WireId
    post_id: WireId
    parent_id: WireId | None = None
    author: Card | None = None
    text: str
    like_count: int
    reply_count: int
    created_at_ms: int
    deleted: Literal[True] | None = None


class CreateComment(Payload):
    post_id: Id
    parent_id: Id | None = None
    text: Annotated[str, TextRule(COMMENT_CHARS, lines=True)]
    client_id: ClientId | None = None


class ListComments(Payload):
    """With `parent_id` the replies to that comment, else the comments on the post itself."""

    post_id: Id
    parent_id: Id | None = None
    before: Id | None = None
    limit: PageLimit | None = None


class NamedComment(Payload):
    comment_id: Id


class CommentAck(Model):
    comment: Comment


class CommentRemoved(Model):
    comment_id: WireId
    post_id: WireId


COMMENT_CREATE = Command(
    name="comment:create",
    namespace=NAMESPACE,
    payload=CreateComment,
    ack=CommentAck,
    effect="Comments on a post that takes comments from the caller (`viewer.may_comment`), or replies to one on it.",
    repeat=Repeat.CLIENT_ID,
    rate=RateLimit(60, 60),
    example={"post_id": EXAMPLE_POST_ID, "text": "Well said", "client_id": "c0ffee-2"},
    works_on=Unit.STATEMENTS,
    errors=(NOT_FOUND, FORBIDDEN, CONFLICT),
    routes=(Route("POST", "/posts/{post_id}/comments", 201, renamed={"content": "text", **_PARENT}),),
)

COMMENT_LIST = Command(
    name="comment:list",
    namespace=NAMESPACE,
    payload=ListComments,
    ack=Page[Comment],
    effect="Lists the comments on a post or the replies to one, the latest first; without those of blocked users.",
    repeat=Repeat.READ,
    rate=RateLimit(600, 60),
    example={"post_id": EXAMPLE_POST_ID, "limit": 20},
    errors=(NOT_FOUND,),
    routes=(Route("GET", "/posts/{post_id}/comments", renamed=_PARENT),),
)

COMMENT_DELETE = Command(
    name="comment:delete",
    namespace=NAMESPACE,
    payload=NamedComment,
    ack=Nothing,
    effect="Deletes the caller's own comment, or one on the caller's own post.",
    repeat=Repeat.SETS_STATE,
    rate=RateLimit(60, 60),
    example={"comment_id": EXAMPLE_COMMENT_ID},
    errors=(NOT_FOUND, FORBIDDEN),
    routes=(Route("DELETE", "/comments/{comment_id}"),),
)


def _subjects_of_comment(ack: CommentAck) -> tuple[Subject, ...]:
    author = ack.comment.author
    subjects = (comment_subject(ack.comment.id), below_post(ack.comment.post_id))
    return subjects if author is None else (*subjects, person_subject(author.id))


COMMENT_CREATED = Push(
    name="comment:created",
    namespace=NAMESPACE,
    model=CommentAck,
    subjects_of=_subjects_of_comment,
    audience="Watchers of the post who may see the comment and those that it replies to.",
)

COMMENT_DELETED = Push(
    name="comment:deleted",
    namespace=NAMESPACE,
    model=CommentRemoved,
    audience=(
        "Watchers of the post who could see the comment. One with replies keeps its place, without text and author; a "
        "deleted one goes when it has no replies any more."
    ),
)
