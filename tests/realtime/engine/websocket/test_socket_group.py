import asyncio

import pytest

from realtime.engine.websocket import socket_group
from realtime.engine.websocket.socket_group import SocketGroup


class Socket:
    def __init__(self, group: SocketGroup) -> None:
        self.happened: list[str] = []
        self._group = group
        group.add(self)

    def flush(self) -> None:
        self.happened.append("flush")

    def abort(self) -> None:
        self.happened.append("abort")
        self._group.remove(self)


def _group() -> SocketGroup:
    return SocketGroup(max_message_bytes=1000, max_unread_bytes=1000, max_frames_per_s=1000)


async def test_sockets_are_flushed_once_in_the_next_turn() -> None:
    group = _group()
    one, other = Socket(group), Socket(group)
    group.flush_soon(one)
    group.flush_soon(other)
    assert one.happened == other.happened == []
    await asyncio.sleep(0)
    assert one.happened == other.happened == ["flush"]
    group.flush_soon(one)
    await asyncio.sleep(0)
    assert (one.happened, other.happened) == (["flush"] * 2, ["flush"])


async def test_the_last_socket_is_waited_for() -> None:
    group = _group()
    one, other = Socket(group), Socket(group)
    waiting = asyncio.create_task(group.wait_closed(60))
    group.remove(one)
    await asyncio.sleep(0)
    assert not waiting.done()
    group.remove(other)
    await waiting


async def test_without_sockets_there_is_nothing_to_wait_for() -> None:
    await _group().wait_closed(0)


async def test_the_wait_ends_with_its_time() -> None:
    group = _group()
    socket = Socket(group)
    await group.wait_closed(0.01)
    group.abort_all()
    assert socket.happened == ["abort"]
    await group.wait_closed(60)


async def test_a_socket_that_does_not_finish_closing_is_aborted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_group, "_CLOSE_WAIT_S", 0.01)
    group = _group()
    slow, quick, other = Socket(group), Socket(group), Socket(group)
    group.limit_close(slow)
    group.limit_close(quick)
    group.remove(quick)
    while not slow.happened:
        await asyncio.sleep(0.001)
    assert (slow.happened, quick.happened, other.happened) == (["abort"], [], [])
