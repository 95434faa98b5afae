"""Questions from node to node with answers of any size, over the channels of the backplane."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgpack
import structlog

from realtime.process.background_tasks import end_task
from realtime.pubsub.backplane import Backplane

PART_BYTES = 48 * 1024
PARTS_PER_WRITE = 16
MAX_PARTS = 512
MAX_UNFINISHED = 256
"""NodeRpc of which parts are missing; the oldest are given up. A lost part is not asked for again."""

Reader = Callable[[str, object], Awaitable[object]]

log = structlog.get_logger(__name__)


class NodeRpc:
    """Asks other nodes and answers what they ask. Values are what msgpack carries.

    A question reaches a node after everything that was published before it was asked on channels which that node
    hears: the backplane keeps the order. `read(sender, question)` is called in that order, before anything later is
    heard; the answer that it returns may take its time.
    """

    def __init__(self, backplane: Backplane, channel_of: Callable[[str], str], read: Reader) -> None:
        self._backplane = backplane
        self._channel_of = channel_of
        self._read = read
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[object]] = {}
        self._unfinished: dict[tuple[str, bool, int], list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        for task in tuple(self._tasks):
            await end_task(task)

    async def ask(self, node_id: str, question: object, *, timeout_s: float) -> object:
        """What the node answers. Raises TimeoutError when it does not, for whatever reason."""
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await self._send(node_id, False, number, question)
                return await answer
        finally:
            del self._asked[number]

    def missed(self) -> None:
        """NodeRpc may have been lost: whoever waits for an answer gives up in time."""

    def hear(self, body: bytes) -> None:
        """Takes a message from this node's channel."""
        sender, is_answer, number, index, is_last, part = msgpack.unpackb(body)
        key = (sender, is_answer, number)
        parts = self._unfinished.pop(key, [])
        if index != len(parts) or index >= MAX_PARTS:
            return
        parts.append(part)
        if not is_last:
            self._unfinished[key] = parts
            if len(self._unfinished) > MAX_UNFINISHED:
                del self._unfinished[next(iter(self._unfinished))]
            return
        content = msgpack.unpackb(b"".join(parts), strict_map_key=False)
        if not is_answer:
            self._spawn(self._answer(sender, number, self._read(sender, content)))
        elif (asked := self._asked.get(number)) is not None and not asked.done():
            asked.set_result(content)

    async def _answer(self, sender: str, number: int, answer: Awaitable[object]) -> None:
        await self._send(sender, True, number, await answer)

    async def _send(self, node_id: str, is_answer: bool, number: int, content: object) -> None:
        packed = msgpack.packb(content)
        parts = [packed[start : start + PART_BYTES] for start in range(0, len(packed), PART_BYTES)]
        channel = self._channel_of(node_id)
        bodies = [
            (channel, msgpack.packb([self._backplane.node_id, is_answer, number, index, index == len(parts) - 1, part]))
            for index, part in enumerate(parts)
        ]
        for start in range(0, len(bodies), PARTS_PER_WRITE):
            if not await self._backplane.publish_many(bodies[start : start + PARTS_PER_WRITE]):
                return

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="rpc")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("letter_not_answered", exc_info=error)
