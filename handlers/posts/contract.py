"""Commands and Facts of posts: create, read, update, delete, like."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, HttpUrl, TypeAdapter, ValidationError, model_validator

from handlers.limits import LINK_CHARS, POST_CHARS, POST_MENTIONS, POST_TAGS
from handlers.people.models import User
from handlers.polls.models import NewPoll
from handlers.posts.entities import check_entities
from handlers.posts.models import Post, PostPage, PostVersion, Replies, Visibility
from handlers.subjects import followed_subject, person_subject, post_subject
from realtime.contract.declarations import Command, Fact, Push, Repeat, Route, Subject, Unit
from realtime.contract.errors import CONFLICT, FORBIDDEN, NOT_FOUND
from realtime.contract.payload_rules import option
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import ClientId, Id, Model, Nothing, Page, PageLimit, PageOffset, Payload, TextRule, WireId

NAMESPACE = "/posts"
FEED_NAMESPACE = "/feed"
"""Feeds that show a post get its pushes there."""
EXAMPLE_ID = "185604284416000002"

_READS = RateLimit(600, 60)
_WRITES = RateLimit(30, 60)
_LIKES = RateLimit(120, 60)

_TEXT = {"content": "text", "caption": "text"}

_HTTP_URL = TypeAdapter(HttpUrl)


def _web_address(value: str) -> str:
    """The address in its normal form, so that a retry compares equal."""
    try:
        address = str(_HTTP_URL.validate_python(value))
    except ValidationError:
        raise ValueError("must be an http or https address") from None
    if len(address) > LINK_CHARS + 1:  # the normal form has a slash after the host, also where none was typed
        raise ValueError(f"must have at most {LINK_CHARS} characters")
    return address


Text = Annotated[
    str,
    TextRule(POST_CHARS, lines=True),
    AfterValidator(check_entities),
    Field(description=f"With at most {POST_TAGS} different hashtags and {POST_MENTIONS} mentions."),
]
Link = Annotated[
    str,
    TextRule(LINK_CHARS),
    AfterValidator(_web_address),
    Field(description="An http or https address.", json_schema_extra={"format": "uri"}),
]


class CreatePost(Payload):
    """A post with a link is of kind `link`, one with a poll of kind `poll`, else of kind `text`; only one of kind
    `link` may have no text.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                option("text", absent=("link", "poll"), kind={"enum": ["text", None]}),
                option("link", absent=("poll",), kind={"enum": ["link", None]}),
                option("text", "poll", absent=("link",), poll={"type": "object"}, kind={"enum": ["poll", None]}),
            ]
        }
    )

    text: Text | None = None
    kind: Literal["text", "link", "poll"] | None = None
    link: Link | None = None
    poll: NewPoll | None = None
    visibility: Visibility = "public"
    replies: Replies = "everyone"
    sensitive: bool = False
    client_id: ClientId | None = None

    @model_validator(mode="after")
    def _has_content(self) -> CreatePost:
        if self.kind is not None and self.kind != self.implied_kind:
            raise ValueError("a post of kind link needs a link, one of kind poll a poll, one of kind text has neither")
        if self.poll is not None and (self.link is not None or self.text is None):
            raise ValueError("a poll needs a text that asks, and has no link")
        if self.text is None and self.link is None:
            raise ValueError("needs a text or a link")
        return self

    @property
    def implied_kind(self) -> Literal["text", "link", "poll"]:
        if self.poll is not None:
            return "poll"
        return "text" if self.link is None else "link"


class NamedPost(Payload):
    post_id: Id


class UpdatePost(Payload):
    """Absent fields stay as they are."""

    post_id: Id
    text: Text | None = None
    visibility: Visibility | None = None
    replies: Replies | None = None
    sensitive: bool | None = None


class HidePost(Payload):
    post_id: Id
    hidden: bool


class ListPosts(Payload):
    user_id: Id
    before: Id | None = None
    offset: PageOffset | None = None
    limit: PageLimit | None = None


class ListVersions(Payload):
    """`before`: a `version`."""

    post_id: Id
    before: Id | None = None
    limit: PageLimit | None = None


class ListLikers(Payload):
    post_id: Id
    before: Id | None = None
    limit: PageLimit | None = None


def subjects_of_post(post: Post) -> tuple[Subject, ...]:
    subjects: tuple[Subject, ...] = (post_subject(post.id, post.version), person_subject(post.author.id))
    if post.shared is not None:
        subjects += subjects_of_post(post.shared)
    return subjects if post.visibility == "public" else (*subjects, followed_subject(post.author.id))


class PostAck(Model):
    post: Post


class LikeAck(Model):
    post_id: WireId
    liked: bool
    like_count: int


class UnlikeAck(Model):
    """`like_count` is absent where the caller does not see the post, and where there is none."""

    post_id: WireId
    liked: Literal[False] = False
    like_count: int | None = None


class PostRemoved(Model):
    post_id: WireId


class PostFactData(Model):
    post_id: WireId
    author_id: WireId


POST_CREATED = Fact(name="post.created", model=PostFactData, key="author_id")
"""A post was created that others than its author may see, as in all Facts of posts."""
POST_SHOWN = Fact(name="post.shown", model=PostFactData, key="author_id")
"""A post is not private any more."""
POST_CHANGED = Fact(name="post.changed", model=PostFactData, key="author_id")
"""A post was edited, hidden or deleted."""

POST_CREATE = Command(
    name="post:create",
    namespace=NAMESPACE,
    payload=CreatePost,
    ack=PostAck,
    effect="Publishes a text or a link; it appears in the feeds of the caller's followers.",
    repeat=Repeat.CLIENT_ID,
    rate=_WRITES,
    example={"text": "Hello, Rookery", "visibility": "public", "client_id": "c0ffee-1"},
    works_on=Unit.STATEMENTS,
    errors=(CONFLICT, NOT_FOUND),
    routes=(Route("POST", "/posts", 201, renamed={**_TEXT, "content_type": "kind", "media_type": "kind"}),),
)

POST_GET = Command(
    name="post:get",
    namespace=NAMESPACE,
    payload=NamedPost,
    ack=PostAck,
    effect="Reads one post.",
    repeat=Repeat.READ,
    rate=_READS,
    example={"post_id": EXAMPLE_ID},
    errors=(NOT_FOUND,),
    routes=(Route("GET", "/posts/{post_id}"),),
)

POST_UPDATE = Command(
    name="post:update",
    namespace=NAMESPACE,
    payload=UpdatePost,
    ack=PostAck,
    effect="Changes the caller's own post: its text, who sees it, who may comment, whether readers are warned.",
    repeat=Repeat.SETS_STATE,
    rate=_WRITES,
    example={"post_id": EXAMPLE_ID, "text": "Hello again"},
    errors=(NOT_FOUND, FORBIDDEN),
    routes=(Route("PATCH", "/posts/{post_id}", renamed=_TEXT), Route("PUT", "/posts/{post_id}", renamed=_TEXT)),
)

POST_HIDE = Command(
    name="post:hide",
    namespace=NAMESPACE,
    payload=HidePost,
    ack=PostAck,
    effect="Hides the caller's own post from everybody else, or shows it again; not one that a moderator has hidden.",
    repeat=Repeat.SETS_STATE,
    rate=_WRITES,
    example={"post_id": EXAMPLE_ID, "hidden": True},
    errors=(NOT_FOUND, FORBIDDEN),
    routes=(Route("PUT", "/posts/{post_id}/hidden"),),
)

POST_HISTORY = Command(
    name="post:history",
    namespace=NAMESPACE,
    payload=ListVersions,
    ack=Page[PostVersion],
    effect="Lists the earlier texts of a post that others could see, the latest first; not the present one.",
    repeat=Repeat.READ,
    rate=_READS,
    example={"post_id": EXAMPLE_ID, "limit": 20},
    errors=(NOT_FOUND,),
    routes=(Route("GET", "/posts/{post_id}/history"),),
)

POST_DELETE = Command(
    name="post:delete",
    namespace=NAMESPACE,
    payload=NamedPost,
    ack=Nothing,
    effect="Deletes the caller's own post, with its comments and likes.",
    repeat=Repeat.SETS_STATE,
    rate=_WRITES,
    example={"post_id": EXAMPLE_ID},
    errors=(NOT_FOUND, FORBIDDEN),
    routes=(Route("DELETE", "/posts/{post_id}"),),
)

POST_LIST = Command(
    name="post:list",
    namespace=NAMESPACE,
    payload=ListPosts,
    ack=PostPage,
    effect="Lists the posts of a user that the caller may see, the latest first.",
    repeat=Repeat.READ,
    rate=_READS,
    example={"user_id": EXAMPLE_ID, "limit": 20},
    errors=(NOT_FOUND,),
    routes=(Route("GET", "/users/{user_id}/posts"),),
)

POST_LIKE = Command(
    name="post:like",
    namespace=NAMESPACE,
    payload=NamedPost,
    ack=LikeAck,
    effect="Likes a post; a user likes a post once, however often the call is made.",
    repeat=Repeat.SETS_STATE,
    works_on=Unit.STATEMENTS,
    rate=_LIKES,
    example={"post_id": EXAMPLE_ID},
    errors=(NOT_FOUND,),
    routes=(Route("POST", "/posts/{post_id}/likes"), Route("POST", "/posts/{post_id}/like")),
)

POST_UNLIKE = Command(
    name="post:unlike",
    namespace=NAMESPACE,
    payload=NamedPost,
    ack=UnlikeAck,
    effect="Removes the caller's like, whatever became of the post; the answer is the same where there was none.",
    repeat=Repeat.SETS_STATE,
    works_on=Unit.STATEMENTS,
    rate=_LIKES,
    example={"post_id": EXAMPLE_ID},
    routes=(
        Route("DELETE", "/posts/{post_id}/likes"),
        Route("DELETE", "/posts/{post_id}/like"),
        Route("DELETE", "/posts/{post_id}/likes/{caller_id}"),
    ),
)

POST_WATCH = Command(
    name="post:watch",
    namespace=NAMESPACE,
    payload=NamedPost,
    ack=PostAck,
    effect=(
        "Tells this socket what happens to a post and its comments from now on, and reads the post. It ends when the "
        "caller may not see the post any more; after a `resync` of the post, read it and watch it again."
    ),
    repeat=Repeat.READ,
    rate=_LIKES,
    example={"post_id": EXAMPLE_ID},
    errors=(NOT_FOUND, FORBIDDEN),
)

POST_UNWATCH = Command(
    name="post:unwatch",
    namespace=NAMESPACE,
    payload=NamedPost,
    ack=Nothing,
    effect="Ends `post:watch` of a post.",
    repeat=Repeat.READ,
    works_on=Unit.NONE,
    rate=_LIKES,
    example={"post_id": EXAMPLE_ID},
    errors=(FORBIDDEN,),
)

POST_LIKERS = Command(
    name="post:likers",
    namespace=NAMESPACE,
    payload=ListLikers,
    ack=Page[User],
    effect="Lists the users who like a post, the latest first; without a block between them and the caller.",
    repeat=Repeat.READ,
    rate=_READS,
    example={"post_id": EXAMPLE_ID, "limit": 20},
    errors=(NOT_FOUND,),
    routes=(Route("GET", "/posts/{post_id}/likes"),),
)

POST_UPDATED = Push(
    name="post:updated",
    namespace=NAMESPACE,
    also_in=(FEED_NAMESPACE,),
    model=PostAck,
    audience="Watchers of the post, and in `/feed` subscribed feeds that show it: the post as it is after an edit.",
    subjects_of=lambda ack: subjects_of_post(ack.post),
    of_every_version=True,
)

POST_DELETED = Push(
    name="post:deleted",
    namespace=NAMESPACE,
    also_in=(FEED_NAMESPACE,),
    model=PostRemoved,
    audience="Watchers of the post, and in `/feed` subscribed feeds that show it.",
)
