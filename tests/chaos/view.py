"""A client's state: what it has of each conversation and of its feed, and what it has to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.chaos.history import Item, conversation_room, feed_room

CHAT, FEED = "chat", "feed"
"""The two scopes that can be read again."""


def message_item(message: Mapping[str, Any]) -> Item:
    return Item(conversation_room(message["conversation_id"]), message["seq"], message["sender"]["id"], message["text"])


def post_item(post: Mapping[str, Any], room: str) -> Item:
    return Item(room, int(post["id"]), post["author"]["id"], post["text"])


class View:
    """The position in each conversation, from applying messages by their number; posts by their id."""

    def __init__(self, user_id: str) -> None:
        self._feed_room = feed_room(user_id)
        self._ahead: dict[str, set[int]] = {}
        self.positions: dict[str, int] = {}
        self.posts: set[int] = set()
        self.feed_position: str | None = None

    def apply_message(self, message: Mapping[str, Any]) -> Item:
        conversation_id, seq = message["conversation_id"], message["seq"]
        reached, ahead = self.positions.get(conversation_id, 0), self._ahead.setdefault(conversation_id, set())
        if seq > reached:
            ahead.add(seq)
        while reached + 1 in ahead:
            reached += 1
            ahead.remove(reached)
        self.positions[conversation_id] = reached
        return message_item(message)

    def apply_post(self, post: Mapping[str, Any]) -> Item:
        item = post_item(post, self._feed_room)
        self.posts.add(item.id)
        return item

    def lacks(self, conversation_id: str) -> bool:
        """Whether a message below one that arrived is missing."""
        return bool(self._ahead.get(conversation_id))

    def lags(self, conversation_id: str, last_seq: int) -> bool:
        return self.positions.get(conversation_id, 0) < last_seq
