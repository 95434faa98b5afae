"""What a text holds, with nothing counted twice."""

from __future__ import annotations

from typing import NamedTuple

from handlers.text.mentions import MentionSpan, find_mentions
from handlers.text.span import Span
from handlers.text.tags import find_hashtags
from handlers.text.urls import find_urls


class Entities(NamedTuple):
    """Each kind in the order of the text, repeated ones too."""

    mentions: list[MentionSpan]
    hashtags: list[Span]
    urls: list[Span]


def find_entities(text: str) -> Entities:
    """The mentions, hashtags and links of a text; where two overlap, the one that begins first."""
    found: list[Span | MentionSpan] = [*find_urls(text), *find_hashtags(text), *find_mentions(text)]
    found.sort(key=lambda span: span.start)
    entities, end = Entities([], [], []), 0
    for span in found:
        if span.start < end:
            continue
        end = span.end
        if isinstance(span, MentionSpan):
            entities.mentions.append(span)
        elif text[span.start] in "#＃":
            entities.hashtags.append(span)
        else:
            entities.urls.append(span)
    return entities
