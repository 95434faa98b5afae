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
    """The rev that was reached in each conversation, from applying its changes by theirs; posts by their id."""

    def __init__(self, user_id: str) -> None:
        self._feed_room = feed_room(user_id)
        self._ahead: dict[str, set[int]] = {}
        self.positions: dict[str, int] = {}
        self.posts: set[int] = set()
        self.feed_position: str | None = None

    def apply_message(self, message: Mapping[str, Any]) -> Item:
        self._ahead.setdefault(message["conversation_id"], set()).add(message["rev"])
        self.reach(message["conversation_id"], 0)
        return message_item(message)

    def reach(self, conversation_id: str, rev: int) -> None:
        """Everything up to this rev is known, and what follows it without a hole."""
        reached = max(self.positions.get(conversation_id, 0), rev)
        ahead = self._ahead.setdefault(conversation_id, set())
        while reached + 1 in ahead:
            reached += 1
        self._ahead[conversation_id] = {change for change in ahead if change > reached}
        self.positions[conversation_id] = reached

    def apply_post(self, post: Mapping[str, Any]) -> Item:
        item = post_item(post, self._feed_room)
        self.posts.add(item.id)
        return item

    def lacks(self, conversation_id: str) -> bool:
        """Whether a change below one that arrived is missing."""
        return bool(self._ahead.get(conversation_id))

    def lags(self, conversation_id: str, rev: int) -> bool:
        return self.positions.get(conversation_id, 0) < rev
