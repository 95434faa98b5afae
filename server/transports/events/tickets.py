"""One-use tickets: they stand for an access token in an address, where a token would end up in logs."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final, cast

import orjson

from realtime.contract.errors import UNAUTHENTICATED, CommandError
from realtime.contract.identity import Identity
from realtime.contract.rest import TICKET_TTL_S
from realtime.contract.wire import Model
from realtime.redis.client import RedisClient, StoreUnavailable
from realtime.redis.pipelined_connection import PipelinedConnection
from server.transports.events.sessions import unavailable

_BYTES: Final = 24


class Ticket(Model):
    ticket: str
    expires_in_s: int


class Tickets:
    """Makes and takes tickets, on whichever node. Redis has their hashes. Methods raise CommandError."""

    def __init__(self, redis: RedisClient) -> None:
        self._connection = PipelinedConnection(redis)

    async def stop(self) -> None:
        await self._connection.stop()

    async def make(self, identity: Identity) -> Ticket:
        ticket = secrets.token_urlsafe(_BYTES)
        holder = orjson.dumps([identity.user_id, identity.login_session_id, identity.expires_at_s])
        try:
            await self._connection.send("SET", _key(ticket), holder, "EX", TICKET_TTL_S)
        except StoreUnavailable:
            raise unavailable() from None
        return Ticket(ticket=ticket, expires_in_s=TICKET_TTL_S)

    async def take(self, ticket: str) -> Identity:
        """Whose ticket it was; it is good for nothing afterwards. It ends with the token for which it was made."""
        try:
            holder = cast(bytes | None, await self._connection.send("GETDEL", _key(ticket)))
        except StoreUnavailable:
            raise unavailable() from None
        if holder is None:
            raise CommandError(UNAUTHENTICATED, "This ticket was used, or is too old: get another one.")
        return Identity(*orjson.loads(holder))


def _key(ticket: str) -> str:
    return f"ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"
