"""What the servers answered the people of a journey: all that was accepted, and what should not have been."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.journeys.checks import Published, Said
from tests.journeys.relations import Relations

Ids = tuple[str, str]
Span = tuple[float, float]


@dataclass(slots=True)
class Record:
    """Ids are those of the wire, times those of the event loop."""

    relations: Relations
    posts: dict[str, Published] = field(default_factory=dict)
    followers_only: set[str] = field(default_factory=set)
    likes: dict[Ids, bool] = field(default_factory=dict)
    """(post, person): whether the post is liked by the last answer."""
    comments: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Post, author and text of a comment."""
    messages: dict[tuple[str, int], Said] = field(default_factory=dict)
    """(conversation, seq): the message as it was answered."""
    sending: dict[tuple[str, int], Span] = field(default_factory=dict)
    """(conversation, seq): from when to when the message was sent."""
    reads: dict[Ids, int] = field(default_factory=dict)
    """(conversation, person): the last message that they reported as read."""
    accepted: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def were_sent_at_once(self, conversation_id: str, one: int, other: int) -> bool:
        """Whether the second of two messages was sent before the first was answered."""
        (began_s, ended_s), (other_began_s, other_ended_s) = (
            self.sending.get((conversation_id, seq), (0.0, 0.0)) for seq in (one, other)
        )
        return began_s < other_ended_s and other_began_s < ended_s

    def judge(self, what: str, answer: dict[str, Any], allowed: set[bool], code: str) -> bool:
        """Whether a command was accepted; `allowed` are the answers that the relations permit."""
        name = what.split()[0]
        if answer["ok"]:
            self.accepted[name] = self.accepted.get(name, 0) + 1
            if True not in allowed:
                self.complaints.append(f"{what} was accepted")
            return True
        self.refused[name] = self.refused.get(name, 0) + 1
        if False not in allowed or answer["error"]["code"] != code:
            self.complaints.append(f"{what} was refused: {answer['error']}")
        return False
