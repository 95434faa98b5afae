"""What `user:me` tells clients is what the payloads enforce."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from handlers.chat.contract import SendMessage
from handlers.comments.contract import CreateComment
from handlers.limits import Limits
from handlers.people.contract import UpdateUser
from handlers.posts.contract import CreatePost, ListPosts

LIMITS = Limits()
ADDRESS = "https://example.org/"


@pytest.mark.parametrize(
    ("payload", "rest", "field", "chars"),
    [
        (UpdateUser, {}, "display_name", LIMITS.display_name_chars),
        (UpdateUser, {}, "bio", LIMITS.bio_chars),
        (CreatePost, {}, "text", LIMITS.post_chars),
        (CreateComment, {"post_id": "5"}, "text", LIMITS.comment_chars),
        (SendMessage, {"conversation_id": "5"}, "text", LIMITS.message_chars),
    ],
)
@pytest.mark.parametrize("character", ["x", "\u00e9", "e\u0301", "\U0001f426"])
def test_texts_are_counted_in_characters_after_normalisation(
    payload: type[BaseModel], rest: dict[str, Any], field: str, chars: int, character: str
) -> None:
    payload.model_validate({**rest, field: character * chars})
    with pytest.raises(ValidationError):
        payload.model_validate({**rest, field: character * (chars + 1)})


def test_links_have_a_limit() -> None:
    CreatePost.model_validate({"link": ADDRESS + "a" * (LIMITS.link_chars - len(ADDRESS))})
    with pytest.raises(ValidationError):
        CreatePost.model_validate({"link": ADDRESS + "a" * (LIMITS.link_chars - len(ADDRESS) + 1)})


def test_pages_have_a_limit() -> None:
    ListPosts.model_validate({"user_id": "5", "limit": LIMITS.page_items})
    for limit in (0, LIMITS.page_items + 1):
        with pytest.raises(ValidationError):
            ListPosts.model_validate({"user_id": "5", "limit": limit})
