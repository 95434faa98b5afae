"""The live rooms of posts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from handlers.subjects import followed_subject, person_subject
from realtime.pubsub.room_names import room_about

_SEEN_BY: Final[Mapping[str, str]] = {"public": "everybody", "private": "nobody"}


def post_scope(post_id: int) -> str:
    """What a watcher reads again after a `resync` of the post."""
    return f"post:{post_id}"


def post_room(post_id: int, author_id: int, visibility: str) -> str:
    """The room of those who watch a post and see it because of its present visibility.

    A post that changes its visibility gets another room: nobody stays in it by mistake.
    """
    seen_by = _SEEN_BY.get(visibility, followed_subject(author_id).name)
    return room_about(post_scope(post_id), person_subject(author_id).name, seen_by)
