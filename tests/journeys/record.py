"""What the servers answered the people of a journey: all that was accepted, and what should not have been."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.journeys.checks import Published, Said
from tests.journeys.relations import Relations

Ids = tuple[str, str]


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
    reads: dict[Ids, int] = field(default_factory=dict)
    """(conversation, person): the last message that they reported as read."""
    accepted: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

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
