import asyncio

from realtime.contract.errors import CLOSE_FLOOD
from realtime.engine.polling import PollingTransport
from realtime.engine.protocol.frames import Outgoing


def _transport(*payloads: bytes, max_unread_bytes: int = 1000) -> PollingTransport:
    transport = PollingTransport(max_unread_bytes=max_unread_bytes)
    for payload in payloads:
        transport.write(Outgoing(payload))
    return transport


async def test_packets_wait_in_order_until_they_are_fetched() -> None:
    assert await _transport(b"4a", b"4b").fetch() == b"4a\x1e4b"


async def test_an_answer_holds_at_most_sixteen_packets() -> None:
    transport = _transport(*[b"4"] * 20)
    assert [len((await transport.fetch()).split(b"\x1e")) for _ in range(2)] == [16, 4]


async def test_a_fetch_waits_for_a_packet() -> None:
    transport = _transport()
    fetch = asyncio.create_task(transport.fetch())
    await asyncio.sleep(0)
    assert transport.waiting
    transport.write(Outgoing(b"4a"))
    assert await fetch == b"4a"
    assert not transport.waiting


async def test_a_client_that_leaves_too_much_unread_is_stalled() -> None:
    transport = _transport(b"x" * 600)
    stalls: list[None] = []
    transport.call_when_stalled(lambda: stalls.append(None))
    transport.write(Outgoing(b"x" * 400))
    assert stalls == []
    transport.write(Outgoing(b"x"))
    assert stalls == [None]


async def test_what_was_fetched_is_not_unread_any_more() -> None:
    transport = _transport(b"x" * 600)
    stalls: list[None] = []
    transport.call_when_stalled(lambda: stalls.append(None))
    await transport.fetch()
    transport.write(Outgoing(b"x" * 600))
    assert stalls == []


async def test_one_packet_larger_than_the_bound_is_taken() -> None:
    assert await _transport(b"x" * 2000).fetch() == b"x" * 2000


async def test_a_close_comes_after_what_is_unread() -> None:
    transport = _transport(b"4a")
    transport.close(CLOSE_FLOOD)
    transport.write(Outgoing(b"4late"))
    assert not transport.drained
    assert await transport.fetch() == b"4a\x1e1"
    assert transport.drained


async def test_an_abort_drops_what_is_unread() -> None:
    transport = _transport(b"4a")
    transport.abort()
    assert transport.drained


async def test_during_an_upgrade_a_fetch_does_not_wait() -> None:
    transport = _transport()
    transport.begin_upgrade()
    assert await transport.fetch() == b"6"


async def test_an_upgrade_takes_over_what_is_unread() -> None:
    transport = _transport(b"4a", b"4b")
    assert [packet.payload for packet in transport.end_by_upgrade()] == [b"4a", b"4b"]
    assert transport.drained
