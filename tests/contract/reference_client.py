"""The least that a client has to do to stay up to date: read once, then apply pushes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from tests.kit.server import Person


class ReferenceClient:
    """One person's copy of their conversations, their relations, their home feed and one post with its comments.

    Tests compare `state` and `order`.
    """

    def __init__(self, user_id: str) -> None:
        self._user_id = user_id
        self._conversations: dict[str, dict[str, Any]] = {}
        self._order: list[str] = []
        self._messages: dict[str, dict[int, dict[str, Any]]] = {}
        self._early: dict[tuple[str, int], dict[str, Any]] = {}
        """Messages, by rev, that arrived before a change with a lower one, which was made at the same time."""
        self._posts: dict[str, dict[str, Any]] = {}
        self._relations: dict[str, dict[str, Any]] = {}
        self._watched: dict[str, Any] | None = None
        self._comments: dict[str, dict[str, Any]] = {}
        self._appliers: Mapping[str, Callable[[dict[str, Any]], None]] = {
            "message:created": self._message_created,
            "receipt:updated": self._receipt_updated,
            "conversation:updated": self._conversation_updated,
            "feed:new": self._feed_new,
            "feed:removed": self._feed_removed,
            "post:updated": self._post_updated,
            "post:deleted": self._post_deleted,
            "comment:created": self._comment_created,
            "comment:updated": self._comment_updated,
            "comment:deleted": self._comment_deleted,
            "collection:changed": self._collection_changed,
        }

    @classmethod
    async def read(cls, person: Person, post_id: str) -> ReferenceClient:
        """Makes a client that has just read everything, and this post if it may see it."""
        client = cls(person.id)
        for conversation in await _read_all(person, "/conversations"):
            client._order.append(conversation["id"])
            client._keep(conversation)
            path = f"/conversations/{conversation['id']}/messages"
            for message in await _read_all(person, path):
                client._messages[conversation["id"]][message["seq"]] = deepcopy(message)
        for post in await _read_all(person, "/feed"):
            client._posts[post["id"]] = deepcopy(post)
        read = await person.do("/users", "sync:pull", {"collections": ["relations"]})
        client._collection_changed({"name": "relations", **read["changes"]["relations"]})
        await client.read_post(person, post_id)
        return client

    async def read_post(self, person: Person, post_id: str) -> None:
        """Reads the watched post with its comments, if this person may see it."""
        status, answer = await person.rest("GET", f"/posts/{post_id}")
        if status == 200:
            self._watched = deepcopy(answer["data"]["post"])
            self._comments = {comment["id"]: comment for comment in await _read_comments(person, post_id, {})}

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
            "feed": [_without_counts(self._posts[post_id]) for post_id in sorted(self._posts, key=int, reverse=True)],
            "relations": self._relations,
            "watched": None if self._watched is None else _without_counts(self._watched),
            "comments": {name: _without_likes(comment) for name, comment in self._comments.items()},
        }

    def knows(self, name: str, data: dict[str, Any]) -> bool:
        """Whether it already has what this push tells."""
        if name == "message:created":
            message = data["message"]
            return message["seq"] in self._messages.get(message["conversation_id"], {})
        if name == "comment:created":
            return data["comment"]["id"] in self._comments
        if name == "comment:updated":
            known = self._comments.get(data["comment"]["id"])
            return known is not None and known["version"] >= data["comment"]["version"]
        if name == "post:updated":
            post = data["post"]
            return post["id"] in self._posts and self._posts[post["id"]]["version"] >= post["version"]
        if name == "collection:changed":
            return all(self._relations.get(item["user_id"]) == item for item in data["upserts"]) and not (
                self._relations.keys() & set(data["removed"])
            )
        return name == "feed:new" and data["post"]["id"] in self._posts

    def apply(self, name: str, data: dict[str, Any]) -> None:
        """Applies a push. A push that was applied before changes nothing."""
        self._appliers[name](data)

    def _message_created(self, data: dict[str, Any]) -> None:
        """Takes messages in the order of their revs; one with a gap below it waits until the gap is filled."""
        message = deepcopy(data["message"])
        conversation = self._conversations[message["conversation_id"]]
        if message["rev"] > conversation["rev"]:
            self._early[conversation["id"], message["rev"]] = message
        while (due := self._early.pop((conversation["id"], conversation["rev"] + 1), None)) is not None:
            self._take(conversation, due)

    @property
    def holes(self) -> set[str]:
        """The conversations with a change above one that has not arrived."""
        return {conversation_id for conversation_id, _ in self._early}

    async def heal(self, person: Person) -> None:
        """Reads what is missing in each conversation, from the rev that it has."""
        is_whole = False
        while not is_whole:
            positions = {name: conversation["rev"] for name, conversation in self._conversations.items()}
            told = await person.do("/chat", "chat:sync", {"positions": positions})
            for changed in told["conversations"]:
                name = changed["conversation_id"]
                conversation, held = self._conversations[name], self._messages[name]
                conversation |= {"rev": changed["rev"], "last_seq": changed["last_seq"]}
                for message in changed["messages"]:
                    held[message["seq"]] = message
                    self._move(conversation, message["sender"]["id"], message["seq"], message["seq"])
                for seq in changed["removed_seqs"]:
                    held.pop(seq, None)
                conversation["last_message"] = held.get(changed["last_seq"])
            is_whole = not any(changed["truncated"] for changed in told["conversations"])
        self._early.clear()

    def _take(self, conversation: dict[str, Any], message: dict[str, Any]) -> None:
        seq = message["seq"]
        self._messages[conversation["id"]][seq] = message
        conversation |= {"last_seq": seq, "last_message": message, "rev": message["rev"]}
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
        viewer = {"read_seq": own["read_seq"], "unread_count": conversation["last_seq"] - own["read_seq"]}
        self._keep({**conversation, "viewer": {**viewer, "muted": False}})
        if conversation["last_seq"] == 1:  # opened by its first message: there is no separate push for that
            self._messages[conversation["id"]].setdefault(1, deepcopy(conversation["last_message"]))

    def _feed_new(self, data: dict[str, Any]) -> None:
        post = data["post"]
        viewer = {"liked": False, "bookmarked": False, "may_comment": self._may_comment(post)}
        self._posts.setdefault(post["id"], deepcopy({**post, "viewer": viewer}))

    def _feed_removed(self, data: dict[str, Any]) -> None:
        for post_id in data["post_ids"]:
            self._posts.pop(post_id, None)

    def _post_updated(self, data: dict[str, Any]) -> None:
        """The newer of two copies has the larger version; a post that the feed does not show is no news."""
        post = data["post"]
        for known in (self._posts.get(post["id"]), self._watched):
            if known is not None and known["id"] == post["id"] and known["version"] < post["version"]:
                known.update(deepcopy(post))
                known["viewer"]["may_comment"] = self._may_comment(post)

    def _may_comment(self, post: dict[str, Any]) -> bool:
        """Pushes do not tell it. Everybody in these tests follows whose posts they are told of."""
        mentioned = any(person["id"] == self._user_id for person in post["mentions"])
        is_own = post["author"]["id"] == self._user_id
        return is_own or {"mentioned": mentioned, "nobody": False}.get(post["replies"], True)

    def _post_deleted(self, data: dict[str, Any]) -> None:
        self._posts.pop(data["post_id"], None)
        self.forget_post(data["post_id"])

    def forget_post(self, post_id: str) -> None:
        """The watched post is gone, or not for this person to see any more."""
        if self._watched is not None and self._watched["id"] == post_id:
            self._watched, self._comments = None, {}

    def _comment_created(self, data: dict[str, Any]) -> None:
        comment = deepcopy(data["comment"])
        if comment["id"] not in self._comments:
            self._comments[comment["id"]] = comment
            if "parent_id" in comment:
                self._comments[comment["parent_id"]]["reply_count"] += 1

    def _comment_updated(self, data: dict[str, Any]) -> None:
        known = self._comments.get(data["comment"]["id"])
        if known is not None and known["version"] < data["comment"]["version"]:
            known.update({**deepcopy(data["comment"]), "reply_count": known["reply_count"]})

    def _comment_deleted(self, data: dict[str, Any]) -> None:
        """One with replies keeps its place; a deleted one goes with its last reply."""
        comment = self._comments.get(data["comment_id"])
        if comment is None:
            return
        comment.pop("author", None)
        comment |= {"text": "", "deleted": True, "version": comment["version"] + 1}
        while comment is not None and comment.get("deleted") and not comment["reply_count"]:
            del self._comments[comment["id"]]
            comment = self._comments.get(comment.get("parent_id", ""))
            if comment is not None:
                comment["reply_count"] -= 1

    def _collection_changed(self, data: dict[str, Any]) -> None:
        assert data["name"] == "relations"
        self._relations |= {item["user_id"]: deepcopy(item) for item in data["upserts"]}
        for user_id in data["removed"]:
            self._relations.pop(user_id, None)

    def _keep(self, conversation: dict[str, Any]) -> None:
        self._conversations[conversation["id"]] = deepcopy(conversation)
        self._messages.setdefault(conversation["id"], {})

    def _move(self, conversation: dict[str, Any], user_id: str, delivered_seq: int, read_seq: int) -> None:
        for member in conversation["members"]:
            if member["user"]["id"] == user_id:
                member["delivered_seq"] = max(member["delivered_seq"], delivered_seq)
                member["read_seq"] = max(member["read_seq"], read_seq)
            if member["user"]["id"] == self._user_id:
                unread = conversation["last_seq"] - member["read_seq"]
                conversation["viewer"] |= {"read_seq": member["read_seq"], "unread_count": unread}


def _without_counts(post: dict[str, Any]) -> dict[str, Any]:
    """Counters are no part of the law, those of a poll neither: they are told by pushes of their own."""
    poll = post.get("poll")
    asked = (
        {} if poll is None else {"poll": {**poll, "vote_count": 0, "options": [one["text"] for one in poll["options"]]}}
    )
    return {name: value for name, value in post.items() if not name.endswith("_count")} | asked


def _without_likes(comment: dict[str, Any]) -> dict[str, Any]:
    """Likes are no part of the law: they are told by reads."""
    return {name: value for name, value in comment.items() if name not in ("like_count", "viewer")}


async def _read_comments(person: Person, post_id: str, of: dict[str, str]) -> list[dict[str, Any]]:
    """All comments on a post, or all replies to a comment, with the replies to them."""
    status, answer = await person.rest("GET", f"/posts/{post_id}/comments", query={"limit": "100", **of})
    assert status == 200, answer
    found: list[dict[str, Any]] = answer["data"]["items"]
    replies = [
        await _read_comments(person, post_id, {"parent_id": comment["id"]})
        for comment in found
        if comment["reply_count"]
    ]
    return [*found, *(reply for thread in replies for reply in thread)]


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
