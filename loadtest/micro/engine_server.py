"""The product's engine with no accounts: `python -m loadtest.micro.engine_server --port N [--recovery] [--rooms K]`.

Event `pub` emits `msg` with the same payload to everybody, event `echo` is answered `{"ok": true}`. With `--recovery` a
client that asks for it in its CONNECT (`auth.recovery`) can resume its session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from pydantic import RootModel

from loadtest.lifetime import run, server_options
from loadtest.micro.fanning import EVERYBODY, NODE, Fanning
from loadtest.micro.hosting import host
from realtime.contract.declarations import Push
from realtime.contract.emissions import ToRoom, emission
from realtime.engine.recovery.recoverable_sessions import RecoverableSessions
from realtime.engine.recovery.recovery import Recovery
from realtime.engine.recovery.stalled_clients import StalledClients
from realtime.engine.session.connection import Connection
from realtime.engine.session.policy import HandshakeRefusal, HandshakeRequest
from realtime.engine.session.session import Session
from realtime.pubsub import rooms
from realtime.pubsub.resync_notifier import RESYNC_EVENT


class Anything(RootModel[Any]):
    """The payload of a client, unchanged."""


MSG: Final = Push(name="msg", namespace="/", model=Anything, audience="Everybody.")
NAMESPACES: Final = ("/", "/b", "/c", "/d", "/e", "/f")
DONE: Final = b'{"ok":true}'


class OpenDoor:
    """Lets every client in, into `room_count` rooms: one that all share, and others of its own."""

    def __init__(self, fanning: Fanning, *, room_count: int) -> None:
        self._fanning = fanning
        self._room_count = room_count

    async def admit(self, request: HandshakeRequest) -> HandshakeRefusal | None:
        return None

    async def connect(self, session: Session, auth: Mapping[str, object]) -> None:
        membership = self._fanning.membership
        membership.admit(session)
        if session.namespace == MSG.namespace:
            own = [f"own:{session.id}:{number}" for number in range(1, self._room_count)]
            await membership.enter(session, EVERYBODY, *own)

    def event(self, session: Session, name: str, args: Sequence[object], size_bytes: int) -> object:
        return self._publish(args) if name == "pub" else DONE

    async def _publish(self, args: Sequence[object]) -> bytes:
        push = emission(MSG, Anything(args[0] if args else None), ToRoom(EVERYBODY))
        await self._fanning.fanout.publish([push])
        return DONE

    def disconnected(self, session: Session, reason: str) -> None:
        if not session.is_kept:
            self._fanning.membership.release(session)

    async def resume(self, session: Session, connection: Connection[Session], auth: Mapping[str, object]) -> bool:
        return True

    def resumed(self, session: Session) -> None:
        return None  # all pushes of this server are in logs

    def not_recovered(self, session: Session, code: int | None) -> None:
        session.push_replayable(RESYNC_EVENT, orjson.dumps({"scope": rooms.RESYNC_ALL}))

    def expired(self, session: Session) -> None:
        self._fanning.membership.release(session)


async def serve(port: int, *, room_count: int, recovering: bool) -> None:
    fanning = Fanning(NAMESPACES)
    door = OpenDoor(fanning, room_count=room_count)
    recovery = _recovery(fanning, door) if recovering else None
    await fanning.fanout.start()
    await host(door, fanning.hub, port, NAMESPACES, recovery)
    if recovery is not None:
        recovery.stop()
    await fanning.fanout.stop()


def _recovery(fanning: Fanning, door: OpenDoor) -> Recovery:
    recoverable = RecoverableSessions(hub=fanning.hub, logs=fanning.logs, policy=door, node_id=NODE)
    return Recovery(recoverable=recoverable, policy=door, stalled_clients=StalledClients())


def main() -> None:
    parser = server_options(__doc__)
    parser.add_argument("--rooms", type=int, default=1, help="how many rooms each client is in")
    parser.add_argument("--recovery", action="store_true", help="clients may resume their sessions")
    options = parser.parse_args()
    run(serve(options.port, room_count=max(1, options.rooms), recovering=options.recovery))


if __name__ == "__main__":
    main()
