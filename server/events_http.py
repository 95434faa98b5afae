"""Long-polling: the pushes that a socket of this person would get, for clients that cannot hold one.

A cursor is good on the node that gave it, for as long as the client keeps polling. Any other cursor is answered with
`resync`: read again, and go on from the new cursor.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import orjson
from aiohttp import web

from handlers.context import Caller
from realtime import rooms
from realtime.contract import AUTH_NAMESPACE
from realtime.errors import (
    INVALID_PAYLOAD,
    RATE_LIMITED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    CommandError,
)
from realtime.identity import Identity
from realtime.limits import Limiter, Rate
from realtime.membership import Membership
from realtime.presence import Presence
from realtime.wire import answer_error, answer_ok
from server.dispatch import RETRY_AFTER_UNAVAILABLE_MS, Answer, Dispatcher
from server.event_streams import EventStream, EventStreams, KeptEvent
from server.gate import Gate
from server.registry import Registry
from server.rest import API_PREFIX, PeerAddress, bearer_token, response
from sql.errors import Unavailable

MAX_WAIT_S = 50.0
"""Proxies and routers end connections that are silent for a minute."""
CLEAN_UP_EVERY_S = 10.0
POLLS = Rate(count=300, per_s=60)
TOPICS = ("feed",)


class LongPolling:
    """Hosts `GET /v1/events`. A stream that nobody has polled for `idle_s` is dropped."""

    def __init__(
        self,
        *,
        registry: Registry,
        dispatcher: Dispatcher,
        gate: Gate,
        membership: Membership,
        presence: Presence,
        limiter: Limiter,
        peer_address: PeerAddress,
        node_id: str,
        rate_limit_factor: float,
        idle_s: float,
    ) -> None:
        self._dispatcher = dispatcher
        self._gate = gate
        self._membership = membership
        self._presence = presence
        self._limiter = limiter
        self._peer_address = peer_address
        self._node_id = node_id
        self._polls = Rate(max(1, round(POLLS.count * rate_limit_factor)), POLLS.per_s)
        self._namespaces = tuple(name for name in registry.namespaces if name != AUTH_NAMESPACE)
        self._entry_rooms = {name: registry.entry_rooms(name) for name in self._namespaces}
        self._idle_s = idle_s
        self._streams = EventStreams()
        self._cleaner: asyncio.Task[None] | None = None

    def attach(self, app: web.Application) -> None:
        app.router.add_get(f"{API_PREFIX}/events", self._poll)

    def start(self) -> None:
        self._cleaner = asyncio.create_task(self._clean_up(), name="event-streams")

    async def stop(self) -> None:
        """Lets all polls that wait answer at once; their cursors are unknown to every other node."""
        if self._cleaner is not None:
            self._cleaner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._cleaner
        for stream in self._streams.all():
            self._end(stream)

    def revoke(self, login_session_ids: Sequence[int]) -> None:
        """Ends the streams of these login sessions; a poll that waits is answered `unauthenticated`."""
        for stream in self._streams.all():
            if stream.identity.login_session_id in login_session_ids:
                self._end(stream)

    async def _poll(self, request: web.Request) -> web.Response:
        try:
            return response(Answer(answer_ok(await self._answer(request)), None), 200)
        except CommandError as error:
            return response(Answer(answer_error(error), error), 200)
        except Unavailable:
            refusal = CommandError(UNAVAILABLE, retry_after_ms=RETRY_AFTER_UNAVAILABLE_MS)
            return response(Answer(answer_error(refusal), refusal), 200)

    async def _answer(self, request: web.Request) -> bytes:
        address = self._peer_address(request)
        identity = self._gate.identify(bearer_token(request))
        if identity is None:
            raise CommandError(UNAUTHENTICATED)
        decision = await self._limiter.hit([(f"events:u{identity.user_id}", self._polls, 1)])
        if not decision.allowed:
            raise CommandError(RATE_LIMITED, retry_after_ms=decision.retry_after_ms)
        unknown = [name for name in request.query if name not in ("cursor", "timeout_s")]
        if unknown or len(set(request.query)) != len(request.query):
            raise CommandError(INVALID_PAYLOAD, fields=dict.fromkeys(unknown, "is not known"))
        timeout_s = _timeout(request.query.get("timeout_s"))
        cursor = request.query.get("cursor", "")
        stream = self._find(cursor, identity)
        events: Sequence[KeptEvent] = ()
        if stream is None:
            missed = bool(cursor)
            user_agent = request.headers.get("User-Agent")
            stream = await self._begin(Caller(identity, address, user_agent), identity)
        else:
            stream.polled_at_s, confirmed = _now_s(), stream.confirmed
            events = await stream.wait(timeout_s)
            # What comes while a poll waits may be more than is kept.
            missed = stream.confirmed != confirmed
        stream.polled_at_s = _now_s()
        # The login session may have ended meanwhile.
        self._gate.identify(identity)
        return self._encode(stream, events, resync=missed or stream.closed)

    def _find(self, cursor: str, identity: Identity) -> EventStream | None:
        node_id, _, rest = cursor.partition(".")
        key, _, number = rest.rpartition(".")
        if node_id != self._node_id or not number.isascii() or not number.isdigit() or len(number) > 18:
            return None
        stream = self._streams.find(key, identity)
        return stream if stream is not None and stream.confirm(int(number)) else None

    async def _begin(self, caller: Caller, identity: Identity) -> EventStream:
        """Opens a stream; when it returns, whatever is pushed from then on is kept for the client."""
        stream = EventStream(identity, self._namespaces, _now_s())
        for displaced in self._streams.add(stream):
            self._end(displaced)
        try:
            self._presence.arrive(stream.key, identity.user_id)
            # All at once: a stream may be ended at any await below, and its members must not be admitted after that.
            for member in stream.members:
                self._membership.admit(member)
            for member in stream.members:
                # The person's room first: a room that comes to be after the others were read is announced there.
                await self._membership.enter(member, rooms.person_room(identity.user_id))
                for room in await self._dispatcher.rooms_at_entry(caller, self._entry_rooms[member.namespace]):
                    await self._membership.enter(member, room)
                for topic in TOPICS:
                    if member.namespace == f"/{topic}":
                        await self._membership.listen(member, topic, identity.user_id)
        except BaseException:
            self._end(stream)
            raise
        return stream

    def _encode(self, stream: EventStream, events: Sequence[KeptEvent], *, resync: bool) -> bytes:
        last = events[-1].number if events else stream.confirmed
        cursor = f"{self._node_id}.{stream.key}.{last}"
        told = b',"resync":"all"' if resync else b""
        items = b",".join(_encode_event(event) for event in events)
        return b'{"events":[' + items + b'],"cursor":' + orjson.dumps(cursor) + told + b"}"

    def _end(self, stream: EventStream) -> None:
        self._streams.remove(stream)
        self._presence.depart(stream.key)
        for member in stream.members:
            self._membership.release(member)

    async def _clean_up(self) -> None:
        while True:
            await asyncio.sleep(min(CLEAN_UP_EVERY_S, self._idle_s / 4))
            for stream in self._streams.idle(before_s=_now_s() - self._idle_s):
                self._end(stream)


def _encode_event(event: KeptEvent) -> bytes:
    head = orjson.dumps({"id": str(event.number), "namespace": event.namespace, "name": event.name})
    return head[:-1] + b',"data":' + event.data + b"}"


def _timeout(text: str | None) -> float:
    if text is None:
        return MAX_WAIT_S
    if not text.isascii() or not text.isdigit() or len(text) > 4:
        raise CommandError(INVALID_PAYLOAD, fields={"timeout_s": "must be a whole number of seconds"})
    return min(float(text), MAX_WAIT_S)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
