"""Commands of comments on a post: create, list, edit, delete, like."""

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


class CommentViewer(Model):
    """What the reader has done with this comment."""

    liked: bool


class Comment(Model):
    """A comment; `parent_id` is the comment that it replies to, absent for a comment on the post itself.

    A deleted comment with replies stays in its place, with `deleted`, an empty text and no author. A block that hid it
    and the replies below it hides them still. `viewer` is in answers only, never in a push.

    `version` grows with each edit and with the deletion: of two copies the one with the larger version is newer, but
    for the counts. `edited_at_ms` is absent until the first edit.
    """

    id: WireId
    version: int
    post_id: WireId
    parent_id: WireId | None = None
    author: Card | None = None
    text: str
    like_count: int
    reply_count: int
    created_at_ms: int
    edited_at_ms: int | None = None
    deleted: Literal[True] | None = None
    viewer: CommentViewer | None = None


Text = Annotated[str, TextRule(COMMENT_CHARS, lines=True)]


class CreateComment(Payload):
    post_id: Id
    parent_id: Id | None = None
    text: Text
    client_id: ClientId | None = None


class ListComments(Payload):
    """With `parent_id` the replies to that comment, else the comments on the post itself."""

    post_id: Id
    parent_id: Id | None = None
    before: Id | None = None
    limit: PageLimit | None = None


class NamedComment(Payload):
    comment_id: Id


class UpdateComment(Payload):
    comment_id: Id
    text: Text


class CommentAck(Model):
    comment: Comment


class LikeCommentAck(Model):
    comment_id: WireId
    liked: Literal[True] = True
    like_count: int


class UnlikeCommentAck(Model):
    """`like_count` is absent where the caller does not see the comment, and where there is none."""

    comment_id: WireId
    liked: Literal[False] = False
    like_count: int | None = None


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

COMMENT_UPDATE = Command(
    name="comment:update",
    namespace=NAMESPACE,
    payload=UpdateComment,
    ack=CommentAck,
    effect="Changes the text of the caller's own comment.",
    repeat=Repeat.SETS_STATE,
    rate=RateLimit(60, 60),
    example={"comment_id": EXAMPLE_COMMENT_ID, "text": "Very well said"},
    errors=(NOT_FOUND, FORBIDDEN),
    routes=(
        Route("PATCH", "/comments/{comment_id}", renamed={"content": "text"}),
        Route("PUT", "/comments/{comment_id}", renamed={"content": "text"}),
    ),
)

COMMENT_LIKE = Command(
    name="comment:like",
    namespace=NAMESPACE,
    payload=NamedComment,
    ack=LikeCommentAck,
    effect="Likes a comment; a user likes a comment once, however often the call is made.",
    repeat=Repeat.SETS_STATE,
    works_on=Unit.STATEMENTS,
    rate=RateLimit(120, 60),
    example={"comment_id": EXAMPLE_COMMENT_ID},
    errors=(NOT_FOUND,),
    routes=(Route("POST", "/comments/{comment_id}/likes"), Route("POST", "/comments/{comment_id}/like")),
)

COMMENT_UNLIKE = Command(
    name="comment:unlike",
    namespace=NAMESPACE,
    payload=NamedComment,
    ack=UnlikeCommentAck,
    effect="Removes the caller's like, whatever became of the comment; the answer is the same where there was none.",
    repeat=Repeat.SETS_STATE,
    works_on=Unit.STATEMENTS,
    rate=RateLimit(120, 60),
    example={"comment_id": EXAMPLE_COMMENT_ID},
    routes=(Route("DELETE", "/comments/{comment_id}/likes"), Route("DELETE", "/comments/{comment_id}/like")),
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
    subjects = (comment_subject(ack.comment.id, ack.comment.version), below_post(ack.comment.post_id))
    return subjects if author is None else (*subjects, person_subject(author.id))


COMMENT_CREATED = Push(
    name="comment:created",
    namespace=NAMESPACE,
    model=CommentAck,
    subjects_of=_subjects_of_comment,
    audience="Watchers of the post who may see the comment and those that it replies to.",
)

COMMENT_UPDATED = Push(
    name="comment:updated",
    namespace=NAMESPACE,
    model=CommentAck,
    subjects_of=_subjects_of_comment,
    of_every_version=True,
    audience="Watchers of the post who may see the comment and those that it replies to: as it is after an edit.",
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
