from __future__ import annotations

import asyncio

from realtime.contract.errors import CLOSE_FLOOD, CLOSE_TOKEN_EXPIRED
from realtime.engine.polling import PollingTransport
from realtime.engine.session.connection import GRACE_S, Connection
from realtime.engine.session.session import Session


class Opened:
    """A connection on a polling transport; `told` records the ends of its sessions."""

    def __init__(self) -> None:
        self.transport = PollingTransport(max_unread_bytes=100)
        self.told: list[str] = []
        self.ended = asyncio.Event()
        self.connection: Connection[Session] = Connection(
            id="c",
            peer_address="192.0.2.1",
            user_agent=None,
            transport=self.transport,
            on_session_end=lambda session, why: self.told.append(f"{session.namespace} {why}"),
            on_end=lambda connection: self.ended.set(),
        )

    def session(self, namespace: str = "/chat") -> Session:
        return Session(id="s", namespace=namespace, connection=self.connection)


async def test_pushes_before_the_session_is_open_follow_its_connect_answer() -> None:
    opened = Opened()
    session = opened.session()
    session.push_volatile("early", b"1")
    opened.connection.accept(session)
    session.push_volatile("late", b"2")
    assert await opened.transport.fetch() == b'40/chat,{"sid":"s"}\x1e42/chat,["early",1]\x1e42/chat,["late",2]'


async def test_a_push_to_an_ended_session_goes_nowhere() -> None:
    opened = Opened()
    session = opened.session()
    opened.connection.accept(session)
    opened.connection.end_session(session, "client namespace disconnect")
    session.push_volatile("late", b"2")
    assert await opened.transport.fetch() == b'40/chat,{"sid":"s"}'


async def test_only_the_first_close_counts() -> None:
    opened = Opened()
    opened.connection.accept(opened.session())
    opened.connection.close(CLOSE_TOKEN_EXPIRED)
    opened.connection.close(CLOSE_FLOOD)
    await opened.ended.wait()
    assert opened.told == ["/chat token_expired"]


async def test_callbacks_never_run_in_the_middle_of_a_call() -> None:
    opened = Opened()
    opened.connection.accept(opened.session())
    opened.connection.abort("transport close")
    assert opened.told == []
    await opened.ended.wait()
    assert opened.told == ["/chat transport close"]


async def test_pushes_sent_before_a_close_leave_before_it() -> None:
    opened = Opened()
    session = opened.session()
    opened.connection.accept(session)
    opened.connection.close(CLOSE_FLOOD)
    session.push_volatile("last", b"1")
    await opened.ended.wait()
    assert (await opened.transport.fetch()).endswith(b'42/chat,["last",1]\x1e1')


async def test_a_close_waits_a_limited_time_for_work() -> None:
    opened = Opened()
    opened.connection.busy = True
    opened.connection.close(CLOSE_FLOOD)
    async with asyncio.timeout(GRACE_S * 10):
        assert await opened.transport.fetch() == b"1"
    assert not opened.ended.is_set()
    opened.connection.end_work()
    assert opened.ended.is_set()


async def test_a_client_that_reads_too_little_is_lost() -> None:
    opened = Opened()
    session = opened.session()
    opened.connection.accept(session)
    for _ in range(20):
        session.push_volatile("more", b'"0123456789"')
    await opened.ended.wait()
    assert opened.told == ["/chat slow_consumer"]


async def test_a_disconnected_session_leaves_the_others() -> None:
    opened = Opened()
    chat, feed = opened.session("/chat"), opened.session("/feed")
    opened.connection.accept(chat)
    opened.connection.accept(feed)
    chat.disconnect()
    chat.disconnect()
    await asyncio.sleep(0)
    assert opened.told == ["/chat server namespace disconnect"]
    assert opened.connection.sessions == {"/feed": feed}
