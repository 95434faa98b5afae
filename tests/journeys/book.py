"""A client's own copy of its conversations: applies pushes by `seq`, and calls `chat:sync` where one is missing."""

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
                lacking |= not self._apply(push.data["message"])
            elif push.name == "resync":
                lacking = True
            elif push.name == "conversation:updated":
                self.conversations.setdefault(push.data["conversation"]["id"], [])
        if lacking:
            await self._sync()

    async def _sync(self) -> None:
        """Calls `chat:sync` from each position until nothing is left."""
        while True:
            positions = {conversation_id: len(known) for conversation_id, known in self.conversations.items()}
            answer = await self._member.device.do(CHAT, "chat:sync", {"positions": positions})
            for conversation in answer["conversations"]:
                self.conversations.setdefault(conversation["conversation_id"], [])
                for message in conversation["messages"]:
                    if not self._apply(message):
                        self.complaints.append(f"chat:sync left a hole before {message}")
            if not any(conversation["truncated"] for conversation in answer["conversations"]):
                return

    def _apply(self, message: dict[str, Any]) -> bool:
        """Whether the conversation is now complete up to this message."""
        known, news = self.conversations.setdefault(message["conversation_id"], []), said(message)
        if news.seq == len(known) + 1:
            known.append(news)
        elif news.seq <= len(known) and known[news.seq - 1] != news:
            self.complaints.append(f"message {news.seq} was {known[news.seq - 1]} and is {news}")
        return news.seq <= len(known)
