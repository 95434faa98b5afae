"""The product's engine with no accounts: `python -m loadtest.micro.engine_server --port N`.

Event `pub` emits `msg` with the same payload to everybody, event `echo` is answered `{"ok": true}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import RootModel

from loadtest.micro.fanning import EVERYBODY, Fanning
from loadtest.micro.hosting import host, run, server_options
from realtime.contract import Push
from realtime.engine.policy import HandshakeRequest, Refusal
from realtime.engine.session import Session
from realtime.outgoing import ToRoom, emission


class Anything(RootModel[Any]):
    """What a client published, as it is."""


MSG: Final = Push(name="msg", namespace="/", model=Anything, audience="Everybody.")
NAMESPACES: Final = ("/", "/b", "/c", "/d", "/e", "/f")
DONE: Final = b'{"ok":true}'


class OpenDoor:
    """Lets everybody in, into `rooms` rooms: everybody's own ones, but for the first."""

    def __init__(self, fanning: Fanning, *, rooms: int) -> None:
        self._fanning = fanning
        self._rooms = rooms

    async def admit(self, request: HandshakeRequest) -> Refusal | None:
        return None

    async def connect(self, session: Session, auth: Mapping[str, object]) -> None:
        membership = self._fanning.membership
        membership.admit(session)
        if session.namespace == MSG.namespace:
            own = [f"own:{session.id}:{number}" for number in range(1, self._rooms)]
            await membership.enter(session, EVERYBODY, *own)

    async def event(self, session: Session, name: str, args: Sequence[object], size_bytes: int) -> object:
        if name == "pub":
            push = emission(MSG, Anything(args[0] if args else None), ToRoom(EVERYBODY))
            await self._fanning.fanout.publish([push])
        return DONE

    def disconnected(self, session: Session, reason: str) -> None:
        self._fanning.membership.release(session)


async def serve(port: int, *, rooms: int) -> None:
    fanning = Fanning(NAMESPACES)
    await fanning.fanout.start()
    await host(OpenDoor(fanning, rooms=rooms), fanning.hub, port, NAMESPACES)
    await fanning.fanout.stop()


def main() -> None:
    parser = server_options(__doc__)
    parser.add_argument("--rooms", type=int, default=1, help="how many rooms each client is in")
    parser.add_argument("--recovery", action="store_true", help="clients may resume their sessions")
    options = parser.parse_args()
    run(serve(options.port, rooms=max(1, options.rooms)))


if __name__ == "__main__":
    main()
