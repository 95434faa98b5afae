"""The messages and operations of AsyncAPI: a command with its answer, a push."""

from __future__ import annotations

from typing import Any

from realtime.contract.declarations import Access, Command, Push
from server.documents.envelope import failure_with, success_with
from server.documents.sentences import REPEATS, possible_errors, rate_sentence, size_sentence
from server.documents.wire_schemas import WireSchemas


class Messages:
    """Collects what travels: `messages` by key, `operations` that refer to them, and which channel has which."""

    def __init__(self, schemas: WireSchemas) -> None:
        self.schemas = schemas
        self.messages: dict[str, Any] = {}
        self.operations: dict[str, Any] = {}
        self._channels: dict[str, dict[str, Any]] = {}

    def of_channel(self, channel: str) -> dict[str, Any]:
        return self._channels.get(channel, {})

    def add_command(self, channel: str, command: Command[Any, Any]) -> None:
        key = key_of(command.name)
        codes = [error.code for error in possible_errors(command)]
        self.messages[key] = {
            "name": command.name,
            "summary": command.effect,
            "payload": self.schemas.payload(command),
            "examples": [{"name": "example", "payload": dict(command.example)}],
            "x-limits": {
                "calls_in_a_minute": round(60 * command.rate.count / command.rate.per_s),
                "calls_at_once": command.rate.burst or command.rate.count,
                "bytes": command.max_bytes,
            },
        }
        self.messages[f"{key}_answer"] = {
            "name": f"{command.name} (answer)",
            "summary": "What was done or read, or why not.",
            "payload": {"oneOf": [success_with(self.schemas.answer(command)), failure_with(codes)]},
        }
        told = [REPEATS[command.repeat], rate_sentence(command.rate), size_sentence(command)]
        if command.access is Access.ANYONE:
            told.insert(0, "Anybody may call it, also without a token.")
        self.operations[key] = {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{key_of(channel)}"},
            "title": command.name,
            "summary": command.effect,
            "description": " ".join(told),
            "messages": [self._put(channel, key)],
            "reply": {
                "channel": {"$ref": f"#/channels/{key_of(channel)}"},
                "messages": [self._put(channel, f"{key}_answer")],
            },
        }

    def add_push(self, channel: str, push: Push[Any]) -> None:
        key = key_of(push.name)
        self.messages[key] = {"name": push.name, "summary": push.audience, "payload": self.schemas.push(push)}
        self.operations[f"{key_of(channel)}_{key}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{key_of(channel)}"},
            "title": push.name,
            "summary": push.audience,
            "description": _kept(push),
            "messages": [self._put(channel, key)],
        }

    def _put(self, channel: str, key: str) -> dict[str, str]:
        """Puts a message into a channel, and refers to it there."""
        self._channels.setdefault(channel, {})[key] = {"$ref": f"#/components/messages/{key}"}
        return {"$ref": f"#/channels/{key_of(channel)}/messages/{key}"}


def key_of(name: str) -> str:
    """A name as a key of the document: `post:like` is `post_like`, `/chat` is `chat`."""
    return name.removeprefix("/").replace(":", "_")


def _kept(push: Push[Any]) -> str:
    told = (
        "It is not kept for clients that are away."
        if push.volatile
        else "A client that recovers its session gets what it missed of it."
    )
    if push.position is not None:
        told += f" The last one of a room is followed by `{push.position.push.name}`, by which a lost one is noticed."
    if push.about_connection:
        told += " Clients of `GET /v1/events` do not get it."
    return told
