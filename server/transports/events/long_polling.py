"""Long-polling: each call answers the pushes since a cursor, and waits for the first one where there is none.

A cursor that cannot be resumed is answered with `resync` and a new cursor.
"""

from __future__ import annotations

import orjson
from aiohttp import web

from realtime.contract.errors import INVALID_PAYLOAD, UNAUTHENTICATED, CommandError
from realtime.contract.rest import API_PREFIXES, EVENT_WAIT_S
from realtime.contract.wire import answer_ok
from realtime.engine.session.connection import TRANSPORT_CLOSE
from realtime.engine.session.policy import ConnectRefused
from server.accounts.authenticator import Authenticator
from server.pipeline.dispatch import Answer
from server.transports.events.cursor import moved, write_cursor
from server.transports.events.polled_events import PolledEvents
from server.transports.events.sessions import Entered, EventSessions
from server.transports.negotiation import JSON, not_acceptable, takes
from server.transports.rest import bearer_token
from server.transports.rest_answers import refusal, response


class LongPolling:
    """Serves `GET /v1/events`. `left_out` are the names of pushes that are not given to polling clients."""

    def __init__(self, sessions: EventSessions, authenticator: Authenticator, *, left_out: frozenset[str]) -> None:
        self._sessions = sessions
        self._authenticator = authenticator
        self._left_out = left_out

    def attach(self, app: web.Application) -> None:
        for prefix in API_PREFIXES:
            app.router.add_get(f"{prefix}/events", self._poll, allow_head=False)

    async def _poll(self, request: web.Request) -> web.Response:
        if not takes(request, JSON):
            return refusal(not_acceptable(JSON), status=406)
        try:
            return response(Answer(answer_ok(await self._answer(request)), None), 200)
        except CommandError as error:
            return refusal(error)

    async def _answer(self, request: web.Request) -> bytes:
        identity = self._authenticator.identify_person(bearer_token(request))
        await self._sessions.admit(identity)
        check_query(request, "cursor", "timeout_s")
        timeout_s = _timeout(request.query.get("timeout_s"))
        cursor = request.query.get("cursor", "")
        events = PolledEvents(self._left_out)
        connection = self._sessions.open_connection(request, events)
        try:
            entered = await self._sessions.enter(connection, identity, cursor, forget=events.clear)
            if entered.is_resumed:
                await events.wait(timeout_s)
            # The login session may have ended meanwhile.
            self._authenticator.identify(identity)
            return _encode(events, entered, resync=bool(cursor and not entered.is_resumed))
        except ConnectRefused as refused:
            raise CommandError(UNAUTHENTICATED, refused.message) from None
        finally:
            connection.abort(TRANSPORT_CLOSE)


def check_query(request: web.Request, *known: str) -> None:
    """Raises CommandError for a field of the query that is not known, or that is given twice."""
    unknown = [name for name in request.query if name not in known]
    if unknown or len(set(request.query)) != len(request.query):
        raise CommandError(INVALID_PAYLOAD, fields=dict.fromkeys(unknown, "is not known"))


def _encode(events: PolledEvents, entered: Entered, *, resync: bool) -> bytes:
    cursor = orjson.dumps(write_cursor(moved(entered.positions, events.offsets)))
    scope = b',"resync":"all"' if resync else b""
    return b'{"events":[' + b",".join(events.items) + b'],"cursor":' + cursor + scope + b"}"


def _timeout(text: str | None) -> float:
    if text is None:
        return EVENT_WAIT_S
    if not text.isascii() or not text.isdigit() or len(text) > 4:
        raise CommandError(INVALID_PAYLOAD, fields={"timeout_s": "must be a whole number of seconds"})
    return min(float(text), EVENT_WAIT_S)
