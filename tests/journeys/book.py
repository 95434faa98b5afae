"""A client's own copy of its conversations: applies pushes by `rev`, and calls `chat:sync` where one is missing."""

from __future__ import annotations

from typing import Any

from tests.journeys.checks import Said
from tests.journeys.crowd import Member

CHAT = "/chat"


def said(message: dict[str, Any]) -> Said:
    return Said(message["seq"], message["sender"]["id"], message["text"])


class Book:
    """The conversations of one device. `attend` applies what the device received."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._read_pushes = 0
        self._revs: dict[str, int] = {}
        self.conversations: dict[str, list[Said]] = {}
        self.complaints: list[str] = []

    async def begin(self) -> None:
        """Reads the earlier messages."""
        await self._sync()

    async def attend(self) -> None:
        lacking = False
        heard = self._member.device.heard
        while self._read_pushes < len(heard):
            push = heard[self._read_pushes]
            self._read_pushes += 1
            if push.namespace != CHAT:
                continue
            if push.name == "message:created":
                message = push.data["message"]
                known = self._revs.get(message["conversation_id"], 0)
                if message["rev"] == known + 1:
                    self._apply(message)
                    self._revs[message["conversation_id"]] = message["rev"]
                lacking |= message["rev"] > known + 1
            elif push.name == "resync":
                lacking = True
            elif push.name == "conversation:updated":
                self.conversations.setdefault(push.data["conversation"]["id"], [])
                self._revs.setdefault(push.data["conversation"]["id"], 0)
        if lacking:
            await self._sync()

    async def _sync(self) -> None:
        """Calls `chat:sync` from each position until nothing is left."""
        while True:
            answer = await self._member.device.do(CHAT, "chat:sync", {"positions": self._revs})
            for conversation in answer["conversations"]:
                self.conversations.setdefault(conversation["conversation_id"], [])
                for message in conversation["messages"]:
                    self._apply(message)
                self._revs[conversation["conversation_id"]] = conversation["rev"]
            if not any(conversation["truncated"] for conversation in answer["conversations"]):
                return

    def _apply(self, message: dict[str, Any]) -> None:
        known, news = self.conversations.setdefault(message["conversation_id"], []), said(message)
        if news.seq == len(known) + 1:
            known.append(news)
        elif news.seq > len(known):
            self.complaints.append(f"a hole was left before {message}")
        elif known[news.seq - 1] != news:
            self.complaints.append(f"message {news.seq} was {known[news.seq - 1]} and is {news}")
