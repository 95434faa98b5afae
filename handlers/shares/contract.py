"""Commands of shares."""

from __future__ import annotations

from typing import Literal

from handlers.posts.contract import EXAMPLE_ID, NAMESPACE, NamedPost, PostAck, Text
from realtime.contract.declarations import Command, Repeat, Route
from realtime.contract.errors import CONFLICT, FORBIDDEN, NOT_FOUND
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import ClientId, Id, Model, Payload, WireId

_WRITES = RateLimit(30, 60)
_TAKEN_BACK = RateLimit(120, 60)


class SharePost(Payload):
    """Without a text a plain share, of which a user has one for each post; with a text a quote."""

    post_id: Id
    text: Text | None = None
    client_id: ClientId | None = None


class UnshareAck(Model):
    post_id: WireId
    shared: Literal[False] = False


POST_SHARE = Command(
    name="post:share",
    namespace=NAMESPACE,
    payload=SharePost,
    ack=PostAck,
    effect=(
        "Publishes a post of kind `share` that shows a public post; it appears in the feeds of the caller's followers. "
        "A share of a share shows the original. A second share without a text answers the first one."
    ),
    repeat=Repeat.CLIENT_ID,
    rate=_WRITES,
    example={"post_id": EXAMPLE_ID, "text": "Worth reading", "client_id": "c0ffee-2"},
    errors=(CONFLICT, FORBIDDEN, NOT_FOUND),
    routes=(Route("POST", "/posts/{post_id}/shares", 201),),
)

POST_UNSHARE = Command(
    name="post:unshare",
    namespace=NAMESPACE,
    payload=NamedPost,
    ack=UnshareAck,
    effect=(
        "Deletes the caller's share without a text of a post, or of the post that this one shares, whatever became of "
        "it; the answer is the same where there was none. Quotes are deleted by `post:delete`."
    ),
    repeat=Repeat.SETS_STATE,
    rate=_TAKEN_BACK,
    example={"post_id": EXAMPLE_ID},
    routes=(Route("DELETE", "/posts/{post_id}/shares"),),
)
