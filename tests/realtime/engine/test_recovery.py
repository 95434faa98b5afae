"""Sessions that are asked for at odd moments. How clients come back is shown in tests/recovery/."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping

from realtime.engine.hub import Hub
from realtime.engine.recovery import Recovery
from realtime.engine.session import Connection, Session
from realtime.replay_log import ReplayLogs
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
        hub, logs = Hub(), ReplayLogs(keep_s=60.0, max_bytes=65_536, now_s=time.monotonic)
        self.recovery = Recovery(hub=hub, logs=logs, policy=OpenDoor(), node_id="here")

    def connection(self) -> Connection:
        return Connection(
            id="c",
            peer_address="127.0.0.1",
            user_agent=None,
            transport=RecordingTransport(),
            on_session_end=self.recovery.ended,
            on_end=lambda _connection: None,
        )

    def session(self) -> tuple[Session, str]:
        """A session whose client is here, and its private id."""
        connection = self.connection()
        session = Session(id="s", namespace=NAMESPACE, connection=connection)
        self.recovery.follow(session, {"recovery": True})
        connection.accept(session)
        assert session.trail is not None
        return session, session.trail.pid

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
