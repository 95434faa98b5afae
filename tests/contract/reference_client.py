"""The least that a client has to do to stay up to date: read once, then apply pushes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from tests.kit.server import Person


class ReferenceClient:
    """One person's copy of their conversations and their home feed. Tests compare `state` and `order`."""

    def __init__(self, user_id: str) -> None:
        self._user_id = user_id
        self._conversations: dict[str, dict[str, Any]] = {}
        self._order: list[str] = []
        self._messages: dict[str, dict[int, dict[str, Any]]] = {}
        self._early: dict[tuple[str, int], dict[str, Any]] = {}
        """Messages that arrived before one with a lower seq, which was sent at the same time."""
        self._posts: dict[str, dict[str, Any]] = {}
        self._appliers: Mapping[str, Callable[[dict[str, Any]], None]] = {
            "message:created": self._message_created,
            "receipt:updated": self._receipt_updated,
            "conversation:updated": self._conversation_updated,
            "feed:new": self._feed_new,
            "feed:removed": self._feed_removed,
            "post:updated": self._post_updated,
            "post:deleted": self._post_deleted,
        }

    @classmethod
    async def read(cls, person: Person) -> ReferenceClient:
        """Makes a client that has just read everything."""
        client = cls(person.id)
        for conversation in await _read_all(person, "/conversations"):
            client._order.append(conversation["id"])
            client._keep(conversation)
            path = f"/conversations/{conversation['id']}/messages"
            for message in await _read_all(person, path):
                client._messages[conversation["id"]][message["seq"]] = deepcopy(message)
        for post in await _read_all(person, "/feed"):
            client._posts[post["id"]] = deepcopy(post)
        return client

    @property
    def order(self) -> list[str]:
        """The conversations, the last active first. Exact only where they become active one after the other, since
        pushes of different rooms come in any order.
        """
        return list(self._order)

    @property
    def state(self) -> dict[str, Any]:
        return {
            "conversations": self._conversations,
            "messages": {name: [found[seq] for seq in sorted(found)] for name, found in self._messages.items()},
            "feed": sorted(self._posts.values(), key=lambda post: int(post["id"]), reverse=True),
        }

    def knows(self, name: str, data: dict[str, Any]) -> bool:
        """Whether it already has what this push tells."""
        if name == "message:created":
            message = data["message"]
            return message["seq"] in self._messages.get(message["conversation_id"], {})
        if name == "post:updated":
            post = data["post"]
            return post["id"] in self._posts and self._posts[post["id"]]["version"] >= post["version"]
        return name == "feed:new" and data["post"]["id"] in self._posts

    def apply(self, name: str, data: dict[str, Any]) -> None:
        """Applies a push. A push that was applied before changes nothing."""
        self._appliers[name](data)

    def _message_created(self, data: dict[str, Any]) -> None:
        """Takes messages in the order of their seq; one with a gap below it waits until the gap is filled."""
        message = deepcopy(data["message"])
        conversation = self._conversations[message["conversation_id"]]
        if message["seq"] > conversation["last_seq"]:
            self._early[conversation["id"], message["seq"]] = message
        while (due := self._early.pop((conversation["id"], conversation["last_seq"] + 1), None)) is not None:
            self._take(conversation, due)

    def _take(self, conversation: dict[str, Any], message: dict[str, Any]) -> None:
        seq = message["seq"]
        self._messages[conversation["id"]][seq] = message
        conversation["last_seq"], conversation["last_message"] = seq, message
        self._move(conversation, message["sender"]["id"], seq, seq)  # its author has read it
        self._order.remove(conversation["id"])
        self._order.insert(0, conversation["id"])

    def _receipt_updated(self, data: dict[str, Any]) -> None:
        conversation = self._conversations[data["conversation_id"]]
        self._move(conversation, data["user_id"], data["delivered_seq"], data["read_seq"])

    def _conversation_updated(self, data: dict[str, Any]) -> None:
        conversation = data["conversation"]
        if conversation["id"] not in self._conversations:
            self._order.insert(0, conversation["id"])
        own = next(member for member in conversation["members"] if member["user"]["id"] == self._user_id)
        unread = conversation["last_seq"] - own["read_seq"]
        self._keep({**conversation, "viewer": {"unread_count": unread, "muted": False}})
        if conversation["last_seq"] == 1:  # opened by its first message: there is no separate push for that
            self._messages[conversation["id"]].setdefault(1, deepcopy(conversation["last_message"]))

    def _feed_new(self, data: dict[str, Any]) -> None:
        self._posts.setdefault(data["post"]["id"], deepcopy({**data["post"], "viewer": {"liked": False}}))

    def _feed_removed(self, data: dict[str, Any]) -> None:
        for post_id in data["post_ids"]:
            self._posts.pop(post_id, None)

    def _post_updated(self, data: dict[str, Any]) -> None:
        """The newer of two copies has the larger version; a post that the feed does not show is no news."""
        known = self._posts.get(data["post"]["id"])
        if known is not None and known["version"] < data["post"]["version"]:
            self._posts[known["id"]] = deepcopy({**data["post"], "viewer": known["viewer"]})

    def _post_deleted(self, data: dict[str, Any]) -> None:
        self._posts.pop(data["post_id"], None)

    def _keep(self, conversation: dict[str, Any]) -> None:
        self._conversations[conversation["id"]] = deepcopy(conversation)
        self._messages.setdefault(conversation["id"], {})

    def _move(self, conversation: dict[str, Any], user_id: str, delivered_seq: int, read_seq: int) -> None:
        for member in conversation["members"]:
            if member["user"]["id"] == user_id:
                member["delivered_seq"] = max(member["delivered_seq"], delivered_seq)
                member["read_seq"] = max(member["read_seq"], read_seq)
            if member["user"]["id"] == self._user_id:
                conversation["viewer"]["unread_count"] = conversation["last_seq"] - member["read_seq"]


async def _read_all(person: Person, path: str) -> list[dict[str, Any]]:
    """All items of a list, read page by page."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    before = "before_seq" if path.endswith("/messages") else "before"
    while True:
        status, answer = await person.rest("GET", path, query={"limit": "3", **cursor})
        assert status == 200, answer
        items += answer["data"]["items"]
        if "next_cursor" not in answer["data"]:
            return items
        cursor = {before: answer["data"]["next_cursor"]}
