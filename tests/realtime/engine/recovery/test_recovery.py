"""Sessions that are resumed at odd moments. tests/recovery/ shows how clients resume theirs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from realtime.engine.hub import Hub
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.recovery.missed_pushes import NEXT_PART_AFTER_S
from realtime.engine.recovery.recoverable_sessions import RecoverableSessions
from realtime.engine.recovery.recovery import Recovery
from realtime.engine.recovery.stalled_clients import StalledClients
from realtime.engine.replay.replay_log import ReplayLogs
from realtime.engine.session.connection import Connection
from realtime.engine.session.lifecycle import SessionState
from realtime.engine.session.session import Session
from tests.realtime.engine.test_hub import RecordingTransport

NAMESPACE = "/"


class OpenDoor:
    """Gives every session to every client that asks for it."""

    async def authorize_resume(
        self, session: Session, connection: Connection[Session], auth: Mapping[str, object]
    ) -> bool:
        return True

    def resumed(self, session: Session) -> None: ...

    def not_recovered(self, session: Session, code: int | None) -> None: ...

    def expired(self, session: Session) -> None: ...


class Lab:
    def __init__(self) -> None:
        self.logs = ReplayLogs(keep_s=60.0, max_bytes=65_536, now_s=time.monotonic)
        policy = OpenDoor()
        self.recoverable = RecoverableSessions(hub=Hub(), logs=self.logs, policy=policy, node_id="here")
        self.recovery = Recovery(
            recoverable=self.recoverable, policy=policy, stalled_clients=StalledClients(), max_part_bytes=1
        )

    def connection(self, transport: RecordingTransport | None = None) -> Connection[Session]:
        return Connection(
            id="c",
            peer_address="127.0.0.1",
            user_agent=None,
            transport=transport or RecordingTransport(),
            on_session_end=self.recovery.session_ended,
            on_end=lambda _connection: None,
        )

    def session(self) -> tuple[Session, str]:
        """A session whose client is connected, and its private id."""
        connection = self.connection()
        session = Session(id="s", namespace=NAMESPACE, connection=connection)
        self.recovery.track(session, {"recovery": True})
        connection.accept(session)
        assert session.recovery_state is not None
        return session, session.recovery_state.pid

    async def ask(self, pid: str) -> Session | None:
        auth = {"recovery": True, "pid": pid}
        return await self.recovery.resume(self.connection(), NAMESPACE, auth)


async def test_a_session_is_taken_from_a_connection_that_has_not_noticed_its_loss() -> None:
    lab = Lab()
    session, pid = lab.session()
    old = session.connection
    assert await lab.ask(pid) is session
    assert session.connection is not old and not old.is_writable and not session.is_kept
    lab.recovery.stop()


async def test_a_stopping_node_resumes_nothing() -> None:
    lab = Lab()
    kept, kept_pid = lab.session()
    kept.connection.end_session(kept, "transport close")
    assert kept.is_kept
    _, pid = lab.session()
    lab.recovery.stop()
    assert await lab.ask(kept_pid) is None
    assert await lab.ask(pid) is None
    assert lab.recoverable.sessions() == ()


async def test_a_client_that_reads_nothing_of_what_it_missed_is_disconnected_when_the_logs_drop_it() -> None:
    lab = Lab()
    session, pid = lab.session()
    session.connection.end_session(session, "transport close")
    for _ in range(3):
        session.push_replayable("said", b"1")
    stalled = RecordingTransport(unread_bytes=1)
    connection = lab.connection(stalled)
    auth = {"recovery": True, "pid": pid}
    assert await lab.recovery.resume(connection, NAMESPACE, auth) is session
    connection.accept(session)
    sent = len(stalled.written)
    for _ in range(5):
        await asyncio.sleep(NEXT_PART_AFTER_S)
    assert (session.state, connection.is_writable) == (SessionState.CATCHING_UP, True)
    assert len(stalled.written) == sent
    while lab.logs.evicted < 3:
        lab.logs.append("elsewhere", EncodedPush(NAMESPACE, "said", b"x" * 1_000, lab.logs.push_ids.make()))
    async with asyncio.timeout(10):
        while connection.is_writable:
            await asyncio.sleep(NEXT_PART_AFTER_S)
    assert len(stalled.written) == sent
    lab.recovery.stop()
