"""Sentences about a command that every document says in the same words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from realtime.contract.declarations import Access, Command, Repeat
from realtime.contract.errors import ALWAYS_POSSIBLE, TOKEN_EXPIRED, UNAUTHENTICATED, ErrorCode
from realtime.contract.rate_limit import RateLimit

REPEATS: Final = {
    Repeat.READ: "It changes nothing.",
    Repeat.SETS_STATE: "A repeat changes nothing more.",
    Repeat.CLIENT_ID: "A repeat with the same `client_id` is answered with what was created.",
    Repeat.ACTS: "Each call takes effect again.",
}
ERRORS_OF_ACCESS: Final = {Access.ANYONE: (), Access.PERSON: (UNAUTHENTICATED, TOKEN_EXPIRED)}


def possible_errors(command: Command[Any, Any]) -> Sequence[ErrorCode]:
    """All that a command may answer: what every command may, what its access brings, and what it declares."""
    return tuple(dict.fromkeys((*ALWAYS_POSSIBLE, *ERRORS_OF_ACCESS[command.access], *command.errors)))


def rate_sentence(rate: RateLimit) -> str:
    return f"Limit: {rate.count:,} calls in {rate.per_s:,.0f} s."


def size_sentence(command: Command[Any, Any]) -> str:
    return f"Payload: at most {command.max_bytes:,} bytes."


def listed(words: Iterable[str]) -> str:
    """`a`, `b` and `c`."""
    *first, last = (f"`{word}`" for word in words)
    return f"{', '.join(first)} and {last}" if first else last
