"""The session of callers without a connection: REST calls, and consumers of Facts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from handlers.ports import CallerSession
from realtime.contract.identity import Identity


class _NoSession:
    is_live = False

    async def subscribe(self, topic: str) -> None:
        raise RuntimeError("there is no live connection")

    async def unsubscribe(self, topic: str) -> None:
        raise RuntimeError("there is no live connection")

    async def enter(self, room: str) -> None:
        raise RuntimeError("there is no live connection")

    async def leave(self, scope: str) -> None:
        raise RuntimeError("there is no live connection")

    async def watch(self, user_ids: Collection[int]) -> set[int]:
        raise RuntimeError("there is no live connection")

    async def unwatch(self, user_ids: Collection[int] | None) -> None:
        raise RuntimeError("there is no live connection")

    async def renew(self, identity: Identity) -> None:
        raise RuntimeError("there is no live connection")


NO_SESSION: Final[CallerSession] = _NoSession()
