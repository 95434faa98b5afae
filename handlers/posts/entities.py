"""What a post tells of its text: tags, mentions and links, as they are stored with it."""

from __future__ import annotations

from typing import Any

from handlers.case_folding import folded
from handlers.context import Context
from handlers.limits import POST_MENTIONS, POST_TAGS
from handlers.mentions import people_mentioned
from handlers.people.models import Card
from handlers.text.entities import find_entities
from handlers.text.span import Span

Stored = dict[str, Any]
"""Lists by kind, without empty ones: `tags` as `{tag, folded}`, `mentions` as `{id, username}`, `links` as texts."""


def check_entities(text: str) -> str:
    """Raises ValueError for a text with too many tags or mentions."""
    if sum(map(text.count, "#＃@＠")) <= min(POST_TAGS, POST_MENTIONS):
        return text
    entities = find_entities(text)
    if len(_tags(entities.hashtags)) > POST_TAGS:
        raise ValueError(f"must have at most {POST_TAGS} hashtags")
    if len({folded(mention.name) for mention in entities.mentions}) > POST_MENTIONS:
        raise ValueError(f"must have at most {POST_MENTIONS} mentions")
    return text


async def entities_of(ctx: Context, text: str) -> Stored:
    """What the text of a post by the caller holds. A tag stands there once, as it is written first."""
    entities = find_entities(text)
    people = await people_mentioned(ctx, entities.mentions)
    stored = {
        "tags": [{"tag": tag, "folded": key} for key, tag in _tags(entities.hashtags).items()],
        "mentions": [{"id": person.id, "username": person.username} for person in people],
        "links": list(dict.fromkeys(link.value for link in entities.urls)),
    }
    return {kind: found for kind, found in stored.items() if found}


def tags_of(stored: Stored) -> list[str]:
    return [tag["tag"] for tag in stored.get("tags", ())]


def mentions_of(stored: Stored) -> list[Card]:
    return [Card(**person) for person in stored.get("mentions", ())]


def urls_of(stored: Stored) -> list[str]:
    found: list[str] = stored.get("links", [])
    return found


def _tags(hashtags: list[Span]) -> dict[str, str]:
    """As they are written first, by what is compared."""
    written: dict[str, str] = {}
    for hashtag in hashtags:
        written.setdefault(folded(hashtag.value), hashtag.value)
    return written
