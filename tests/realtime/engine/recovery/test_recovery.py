"""Sessions that are asked for at odd moments. How clients come back is shown in tests/recovery/."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable, Mapping

from realtime.engine.hub import Hub
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.recovery.missed_pushes import NEXT_PART_AFTER_S
from realtime.engine.recovery.recovery import Recovery
from realtime.engine.replay.replay_log import ReplayLogs
from realtime.engine.session.session import Connection, Session
from tests.realtime.engine.test_hub import RecordingTransport

NAMESPACE = "/"


class OpenDoor:
    """Gives every session back to whoever asks."""

    def owner(self, session: Session) -> Hashable:
        return None

    async def resume(self, session: Session, connection: Connection, auth: Mapping[str, object]) -> bool:
        return True

    def resumed(self, session: Session) -> None: ...

    def not_recovered(self, session: Session, code: int | None) -> None: ...

    def expired(self, session: Session) -> None: ...


class Lab:
    def __init__(self) -> None:
        self.logs = ReplayLogs(keep_s=60.0, max_bytes=65_536, now_s=time.monotonic)
        self.recovery = Recovery(hub=Hub(), logs=self.logs, policy=OpenDoor(), node_id="here", max_part_bytes=1)

    def connection(self, transport: RecordingTransport | None = None) -> Connection:
        return Connection(
            id="c",
            peer_address="127.0.0.1",
            user_agent=None,
            transport=transport or RecordingTransport(),
            on_session_end=self.recovery.ended,
            on_end=lambda _connection: None,
        )

    def session(self) -> tuple[Session, str]:
        """A session whose client is here, and its private id."""
        connection = self.connection()
        session = Session(id="s", namespace=NAMESPACE, connection=connection)
        self.recovery.follow(session, {"recovery": True})
        connection.accept(session)
        assert session.recovery_state is not None
        return session, session.recovery_state.pid

    async def ask(self, pid: str) -> Session | None:
        auth = {"recovery": True, "pid": pid}
        return await self.recovery.resume(self.connection(), NAMESPACE, auth)


async def test_a_session_is_taken_from_a_connection_that_has_not_noticed_yet() -> None:
    lab = Lab()
    session, pid = lab.session()
    unaware = session.connection
    assert await lab.ask(pid) is session
    assert session.connection is not unaware and unaware.gone and not session.kept
    lab.recovery.stop()


async def test_a_node_that_stops_gives_nothing_back() -> None:
    lab = Lab()
    kept, kept_pid = lab.session()
    kept.connection.drop(kept, "transport close")
    assert kept.kept
    _, pid = lab.session()
    lab.recovery.stop()
    assert await lab.ask(kept_pid) is None
    assert await lab.ask(pid) is None
    assert lab.recovery.sessions() == ()


async def test_a_client_that_reads_nothing_of_what_it_missed_is_cut_off_when_the_logs_forget_it() -> None:
    lab = Lab()
    session, pid = lab.session()
    session.connection.drop(session, "transport close")
    for _ in range(3):
        session.tell("said", b"1")
    stalled = RecordingTransport(unread_bytes=1)
    connection = lab.connection(stalled)
    auth = {"recovery": True, "pid": pid}
    assert await lab.recovery.resume(connection, NAMESPACE, auth) is session
    connection.accept(session)
    told = len(stalled.written)
    for _ in range(5):
        await asyncio.sleep(NEXT_PART_AFTER_S)
    assert (session.behind, connection.gone, len(stalled.written)) == (True, False, told)
    while lab.logs.evicted < 3:
        lab.logs.append("elsewhere", EncodedPush(NAMESPACE, "said", b"x" * 1_000, lab.logs.push_ids.make()))
    async with asyncio.timeout(10):
        while not connection.gone:
            await asyncio.sleep(NEXT_PART_AFTER_S)
    assert len(stalled.written) == told
    lab.recovery.stop()
