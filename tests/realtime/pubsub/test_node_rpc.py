"""Calls between nodes, with requests and answers of any size."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import pytest

from realtime.pubsub.memory_backplane import MemoryBackplane, MemoryBroker
from realtime.pubsub.node_rpc import PART_BYTES, NodeRpc


class _Node:
    def __init__(self, node_id: str, broker: MemoryBroker) -> None:
        self.backplane = MemoryBackplane(node_id, broker)
        self.rpc = NodeRpc(self.backplane, lambda other: f"rpc:{other}", self._handle)
        self.requests: list[tuple[str, object]] = []
        self.silent = False

    def _handle(self, caller: str, request: object) -> Awaitable[object]:
        self.requests.append((caller, request))
        return self._echo(request)

    async def _echo(self, request: object) -> object:
        if self.silent:
            await asyncio.Event().wait()
        if request == "fail":
            raise RuntimeError("cannot read")
        return [request, request]


@asynccontextmanager
async def _nodes() -> AsyncIterator[tuple[_Node, _Node]]:
    broker = MemoryBroker()
    nodes = (_Node("one", broker), _Node("two", broker))
    for node in nodes:
        await node.backplane.start(
            on_message=lambda _channel, body, node=node: node.rpc.on_message(body),  # type: ignore[misc]
            on_missed=lambda _channel: None,
        )
        await node.backplane.subscribe(f"rpc:{node.backplane.node_id}")
    try:
        yield nodes
    finally:
        for node in nodes:
            await node.rpc.stop()
            await node.backplane.stop()


async def test_a_request_is_answered_whatever_its_size() -> None:
    async with _nodes() as (one, two):
        for request in ("short", b"x" * (3 * PART_BYTES + 1), None, {"a": [1, b"2"]}):
            assert await one.rpc.call("two", request, timeout_s=5) == [request, request]
        assert len(two.requests) == 4 and two.requests[0] == ("one", "short")


async def test_simultaneous_calls_get_their_own_answers() -> None:
    async with _nodes() as (one, two):
        both = [(one, "two"), (two, "one")]
        requests = [f"{number}" * 20_000 for number in range(8)]
        answers = await asyncio.gather(
            *(node.rpc.call(other, request, timeout_s=5) for node, other in both for request in requests)
        )
        assert answers == [[request, request] for _ in both for request in requests]


async def test_no_answer_is_a_timeout() -> None:
    async with _nodes() as (one, two):
        two.silent = True
        for other in ("two", "nobody"):
            with pytest.raises(TimeoutError):
                await one.rpc.call(other, "?", timeout_s=0.05)


async def test_time_in_which_the_caller_was_blocked_is_not_counted() -> None:
    async with _nodes() as (one, _):
        calling = asyncio.create_task(one.rpc.call("two", "?", timeout_s=0.05))
        asyncio.get_running_loop().call_soon(time.sleep, 0.1)
        assert await calling == ["?", "?"]


async def test_a_failing_handler_does_not_affect_later_calls() -> None:
    async with _nodes() as (one, _):
        with pytest.raises(TimeoutError):
            await one.rpc.call("two", "fail", timeout_s=0.05)
        assert await one.rpc.call("two", "again", timeout_s=5) == ["again", "again"]
