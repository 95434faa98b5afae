"""Commands for clients that know users but no conversations."""

from __future__ import annotations

from typing import Annotated

from handlers.chat.contract import EXAMPLE_ID, NAMESPACE
from handlers.chat.models import DirectMessage
from handlers.limits import MESSAGE_CHARS
from realtime.contract.declarations import Command, Repeat, Route
from realtime.contract.errors import CONFLICT, FORBIDDEN, NOT_FOUND
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import ClientId, Id, Page, PageLimit, PageOffset, Payload, TextRule


class WriteMessage(Payload):
    user_id: Id
    text: Annotated[str, TextRule(MESSAGE_CHARS, lines=True)]
    client_id: ClientId | None = None


class ListDirectMessages(Payload):
    before: Id | None = None
    offset: PageOffset | None = None
    limit: PageLimit | None = None


WRITE = Command(
    name="message:write",
    namespace=NAMESPACE,
    payload=WriteMessage,
    ack=DirectMessage,
    effect=(
        "Sends a message to a user; opens the conversation if there is none yet. For clients without conversations."
    ),
    repeat=Repeat.CLIENT_ID,
    rate=RateLimit(60, 60),
    example={"user_id": EXAMPLE_ID, "text": "Are you coming?", "client_id": "a1"},
    errors=(NOT_FOUND, FORBIDDEN, CONFLICT),
    routes=(
        Route(
            "POST",
            "/messages",
            201,
            renamed={"receiver_id": "user_id", "content": "text"},
            caller_fields=("sender_id",),
        ),
    ),
)

LIST = Command(
    name="message:direct",
    namespace=NAMESPACE,
    payload=ListDirectMessages,
    ack=Page[DirectMessage],
    effect="Lists the messages that the caller sent and received, over all direct conversations, newest first.",
    repeat=Repeat.READ,
    rate=RateLimit(120, 60),
    example={"limit": 20},
    routes=(Route("GET", "/users/{caller_id}/messages"),),
)
