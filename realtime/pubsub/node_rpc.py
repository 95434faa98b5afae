"""Calls from node to node over the channels of the backplane, with requests and answers of any size."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgpack
import structlog

from realtime.process.background_tasks import end_task
from realtime.process.stall_tolerant_timeout import stall_tolerant_timeout
from realtime.pubsub.backplane import Backplane

PART_BYTES = 48 * 1024
PARTS_PER_WRITE = 16
MAX_PARTS = 512
MAX_INCOMPLETE = 256
"""Messages of which parts are still to come; above it the oldest are dropped. A lost part is not requested again."""

RequestHandler = Callable[[str, object], Awaitable[object]]
"""Takes the id of the calling node and the request; the awaited value is the answer."""

log = structlog.get_logger(__name__)


class NodeRpc:
    """Calls other nodes and answers their calls. Requests and answers are what msgpack carries.

    A request reaches a node after everything that was published before the call on channels that the node subscribes:
    the backplane keeps the order. `handle(caller, request)` is called in that order, before any later message is
    handled; the answer that it returns may take its time.
    """

    def __init__(self, backplane: Backplane, channel_of: Callable[[str], str], handle: RequestHandler) -> None:
        self._backplane = backplane
        self._channel_of = channel_of
        self._handle = handle
        self._numbers = itertools.count(1)
        self._pending: dict[int, asyncio.Future[object]] = {}
        self._incomplete: dict[tuple[str, bool, int], list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        for task in tuple(self._tasks):
            await end_task(task)

    async def call(self, node_id: str, request: object, *, timeout_s: float) -> object:
        """The node's answer. Raises TimeoutError where none arrives in time, for whatever reason."""
        number = next(self._numbers)
        answer = self._pending[number] = asyncio.get_running_loop().create_future()
        try:
            async with stall_tolerant_timeout(timeout_s):
                await self._send(node_id, False, number, request)
                return await answer
        finally:
            del self._pending[number]

    def on_missed(self) -> None:
        """Does nothing: a call whose request or answer was lost times out."""

    def on_message(self, body: bytes) -> None:
        """Handles one message of this node's channel."""
        sender, is_answer, number, index, is_last, part = msgpack.unpackb(body)
        key = (sender, is_answer, number)
        parts = self._incomplete.pop(key, [])
        if index != len(parts) or index >= MAX_PARTS:
            return
        parts.append(part)
        if not is_last:
            self._incomplete[key] = parts
            if len(self._incomplete) > MAX_INCOMPLETE:
                del self._incomplete[next(iter(self._incomplete))]
            return
        content = msgpack.unpackb(b"".join(parts), strict_map_key=False)
        if not is_answer:
            self._spawn(self._answer(sender, number, self._handle(sender, content)))
        elif (pending := self._pending.get(number)) is not None and not pending.done():
            pending.set_result(content)

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
            if not await self._backplane.publish(bodies[start : start + PARTS_PER_WRITE]):
                return

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="rpc")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("rpc_not_answered", exc_info=error)
