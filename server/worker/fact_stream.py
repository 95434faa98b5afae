"""Copies Facts to a Redis Stream, for services that are no part of Rookery."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pydantic import BaseModel

from handlers.context import Context, Reaction
from handlers.feature import Consumer, on
from realtime.contract.declarations import Fact
from realtime.contract.wire import encode_model
from realtime.redis.stream_writer import StreamWriter

CONSUMER = "facts_stream"


def stream_copy(writer: StreamWriter, facts: Sequence[Fact[Any]]) -> Consumer:
    """A consumer that appends each Fact at least once, as the fields `name` and `data` (JSON), the oldest kept first.

    Services that read the stream have consumer groups of their own.
    """
    return Consumer(CONSUMER, tuple(on(fact, _copier(writer, fact.name)) for fact in facts))


def _copier(writer: StreamWriter, name: str) -> Callable[[Context, Sequence[BaseModel]], Awaitable[Reaction]]:
    async def copy(ctx: Context, batch: Sequence[BaseModel]) -> Reaction:
        await writer.append([{"name": name, "data": encode_model(data)} for data in batch])
        return Reaction()

    return copy
