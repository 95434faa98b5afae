"""Server-Sent Events: the pushes of a socket as one long answer, for browsers' `EventSource` and other clients.

Each event's id is a cursor, of long-polling too: a client that comes back with it hears all that it has missed. One
whose cursor cannot be resumed is told `resync`.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import hdrs, web

from realtime.contract.connection_pushes import RESYNC, Resync
from realtime.contract.errors import UNAUTHENTICATED, CommandError
from realtime.contract.identity import Identity
from realtime.contract.rest import API_PREFIXES
from realtime.contract.wire import answer_ok, encode_model
from realtime.engine.session.connection import TRANSPORT_CLOSE
from realtime.engine.session.policy import ConnectRefused
from realtime.pubsub.room_names import RESYNC_ALL
from server.accounts.authenticator import Authenticator
from server.pipeline.dispatch import Answer
from server.transports.events.cursor import moved, write_cursor
from server.transports.events.long_polling import check_query
from server.transports.events.sessions import Entered, EventSessions
from server.transports.events.streamed_events import StreamedEvents, event_text
from server.transports.events.tickets import Tickets
from server.transports.negotiation import EVENTS, not_acceptable, takes
from server.transports.rest import bearer_token
from server.transports.rest_answers import refusal, response

HEARTBEAT_S: Final = 20.0
"""Proxies and routers close connections that are silent for a minute."""
HEARTBEAT: Final = b":\n\n"
RECONNECT_AFTER_MS: Final = 1_000
LAST_EVENT_ID: Final = "Last-Event-ID"
_HEADERS: Final = {
    hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8",
    hdrs.CACHE_CONTROL: "no-store",
    "X-Accel-Buffering": "no",  # nginx passes each event on at once
}


class EventStream:
    """Serves `GET /v1/events/stream`, and `POST /v1/events/ticket` for clients that cannot send headers."""

    def __init__(
        self,
        sessions: EventSessions,
        authenticator: Authenticator,
        tickets: Tickets,
        *,
        max_unread_bytes: int,
        unread_s: float,
    ) -> None:
        """A client that leaves more unread, or does not read for longer while its buffer is full, is cut off."""
        self._sessions = sessions
        self._authenticator = authenticator
        self._tickets = tickets
        self._max_unread_bytes = max_unread_bytes
        self._unread_s = unread_s

    def attach(self, app: web.Application) -> None:
        for prefix in API_PREFIXES:
            app.router.add_get(f"{prefix}/events/stream", self._stream, allow_head=False)
            app.router.add_post(f"{prefix}/events/ticket", self._make_ticket)

    async def _make_ticket(self, request: web.Request) -> web.Response:
        try:
            identity = self._authenticator.identify_person(bearer_token(request))
            await self._sessions.admit(identity)
            return response(Answer(answer_ok(encode_model(await self._tickets.make(identity))), None), 201)
        except CommandError as error:
            return refusal(error)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if not takes(request, EVENTS):
            return refusal(not_acceptable(EVENTS), status=406)
        if request.transport is None:
            raise ConnectionResetError  # the client is gone already
        events = StreamedEvents(request.transport, max_unread_bytes=self._max_unread_bytes)
        connection = None
        try:
            identity = await self._identify(request)
            await self._sessions.admit(identity)
            cursor = request.headers.get(LAST_EVENT_ID) or request.query.get("cursor", "")
            connection = self._sessions.open_connection(request, events)
            entered = await self._sessions.enter(connection, identity, cursor, forget=events.clear)
            events.start(entered.positions, told=_beginning(entered, has_cursor=bool(cursor)))
            return await self._write(request, events)
        except (CommandError, ConnectRefused) as refused:
            error = refused if isinstance(refused, CommandError) else CommandError(UNAUTHENTICATED, refused.message)
            return refusal(error)
        finally:
            if connection is not None:
                connection.abort(TRANSPORT_CLOSE)

    async def _identify(self, request: web.Request) -> Identity:
        check_query(request, "cursor", "ticket")
        ticket = request.query.get("ticket")
        known = bearer_token(request) if ticket is None else await self._tickets.take(ticket)
        return self._authenticator.identify_person(known)

    async def _write(self, request: web.Request, events: StreamedEvents) -> web.StreamResponse:
        """Writes until the stream is closed, by the server or by its client."""
        answer = web.StreamResponse(headers=_HEADERS)
        await answer.prepare(request)
        try:
            while True:
                text = await events.take(HEARTBEAT_S)
                if not text and events.is_closed:
                    break
                async with asyncio.timeout(self._unread_s):
                    await answer.write(text or HEARTBEAT)
            async with asyncio.timeout(self._unread_s):
                await answer.write_eof()
        except TimeoutError:
            events.cut_off()
        except ConnectionError:
            pass  # the client is gone; its sessions are kept for a while
        return answer


def _beginning(entered: Entered, *, has_cursor: bool) -> bytes:
    """How soon to come back, the first cursor, and that it does not go on from the client's, where it does not."""
    cursor = write_cursor(moved(entered.positions, {}))
    told = f"retry: {RECONNECT_AFTER_MS}\n".encode() + event_text("cursor", b"{}", cursor)
    if entered.is_resumed or not has_cursor:
        return told
    data = encode_model(Resync(scope=RESYNC_ALL))
    head = f'{{"namespace":"{RESYNC.namespace}","name":"{RESYNC.name}","data":'.encode()
    return told + event_text(RESYNC.name, head + data + b"}", cursor)
