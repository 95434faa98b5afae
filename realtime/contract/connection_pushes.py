"""The pushes of the server itself, which a session of any namespace may get."""

from __future__ import annotations

from realtime.contract.declarations import AUTH_NAMESPACE, EVERY_NAMESPACE, Push
from realtime.contract.wire import Model


class Resync(Model):
    """`code` is the close code of a lost session that could not be recovered, where its client did not get it."""

    scope: str
    code: int | None = None


class ServerDraining(Model):
    reconnect_after_ms: int


RESYNC = Push(
    name="resync",
    namespace=AUTH_NAMESPACE,
    also_in=(EVERY_NAMESPACE,),
    model=Resync,
    audience=(
        "A session of any namespace that may have missed pushes of `scope`. `sync:pull` heals `all`, `feed` and "
        "`conversation:<id>`; a post that is watched, `post:<id>`, is watched and its comments are listed again."
    ),
)

SERVER_DRAINING = Push(
    name="server:draining",
    namespace=AUTH_NAMESPACE,
    also_in=(EVERY_NAMESPACE,),
    model=ServerDraining,
    audience="Every session of a server that stops, before its connection is closed; its client connects again.",
    volatile=True,
)
