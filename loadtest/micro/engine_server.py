"""The product's engine with no accounts: `python -m loadtest.micro.engine_server --port N [--recovery] [--rooms K]`.

Event `pub` emits `msg` with the same payload to all clients, event `echo` is answered `{"ok": true}`. With `--recovery`
a client that asks for it in its CONNECT (`auth.recovery`) recovers its session after a lost connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import RootModel

from loadtest.micro.engine_host import host
from loadtest.micro.local_fanout import NODE, PUBLIC_ROOM, LocalFanout
from loadtest.server_process import run, server_options
from realtime.contract.connection_pushes import RESYNC, Resync
from realtime.contract.declarations import Push
from realtime.contract.emissions import ToRoom, emission
from realtime.contract.wire import encode_model
from realtime.engine.recovery.recoverable_sessions import RecoverableSessions
from realtime.engine.recovery.recovery import Recovery
from realtime.engine.recovery.stalled_clients import StalledClients
from realtime.engine.session.connection import Connection
from realtime.engine.session.policy import HandshakeRefusal, HandshakeRequest
from realtime.engine.session.session import Session
from realtime.pubsub import room_names


class Anything(RootModel[Any]):
    """The payload that a client published, unchanged."""


MSG: Final = Push(name="msg", namespace="/", model=Anything, audience="Everybody.")
NAMESPACES: Final = ("/", "/b", "/c", "/d", "/e", "/f")
DONE: Final = b'{"ok":true}'


class OpenPolicy:
    """Accepts every client and puts it into `room_count` rooms: the public room, and others of its own."""

    def __init__(self, local: LocalFanout, *, room_count: int) -> None:
        self._local = local
        self._room_count = room_count

    async def admit(self, request: HandshakeRequest) -> HandshakeRefusal | None:
        return None

    async def connect(self, session: Session, auth: Mapping[str, object]) -> None:
        membership = self._local.membership
        membership.add_session(session)
        if session.namespace == MSG.namespace:
            own = [f"own:{session.id}:{number}" for number in range(1, self._room_count)]
            await membership.join(session, PUBLIC_ROOM, *own)

    def event(self, session: Session, name: str, args: Sequence[object], size_bytes: int) -> object:
        return self._publish(args) if name == "pub" else DONE

    async def _publish(self, args: Sequence[object]) -> bytes:
        push = emission(MSG, Anything(args[0] if args else None), ToRoom(PUBLIC_ROOM))
        await self._local.fanout.publish([push])
        return DONE

    def disconnected(self, session: Session, reason: str) -> None:
        if not session.is_kept:
            self._local.membership.remove_session(session)

    async def authorize_resume(
        self, session: Session, connection: Connection[Session], auth: Mapping[str, object]
    ) -> bool:
        return True

    def resumed(self, session: Session) -> None:
        return None  # all that is sent here is kept in logs

    def not_recovered(self, session: Session, code: int | None) -> None:
        session.push_replayable(RESYNC.name, encode_model(Resync(scope=room_names.RESYNC_ALL)))

    def expired(self, session: Session) -> None:
        self._local.membership.remove_session(session)


async def serve(port: int, *, room_count: int, recovering: bool) -> None:
    local = LocalFanout(NAMESPACES)
    policy = OpenPolicy(local, room_count=room_count)
    recovery = _recovery(local, policy) if recovering else None
    await local.fanout.start()
    await host(policy, local.hub, port, NAMESPACES, recovery)
    if recovery is not None:
        recovery.stop()
    await local.fanout.stop()


def _recovery(local: LocalFanout, policy: OpenPolicy) -> Recovery:
    recoverable = RecoverableSessions(hub=local.hub, logs=local.logs, policy=policy, node_id=NODE)
    return Recovery(recoverable=recoverable, policy=policy, stalled_clients=StalledClients())


def main() -> None:
    parser = server_options(__doc__)
    parser.add_argument("--rooms", type=int, default=1, help="how many rooms each client is in")
    parser.add_argument("--recovery", action="store_true", help="clients may resume their sessions")
    options = parser.parse_args()
    run(serve(options.port, room_count=max(1, options.rooms), recovering=options.recovery))


if __name__ == "__main__":
    main()
