"""The one pipeline of every command and every reaction, whichever transport or stream brought it:

find, count, authenticate, check the size, validate, do, store the facts, commit, then publish and answer.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import ValidationError

from handlers.context import Beforehand, Caller, Context, Happening, Listener, Outcome, Reaction, Refusal, Services
from handlers.feature import BoundCommand, Consumer, EntryRooms
from realtime.contract import Access, RateLimit
from realtime.engine.policy import Unparseable
from realtime.errors import (
    ALWAYS_POSSIBLE,
    INTERNAL,
    INVALID_PAYLOAD,
    RATE_LIMITED,
    TOKEN_EXPIRED,
    TOO_LARGE,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNKNOWN_COMMAND,
    CommandError,
    ErrorCode,
)
from realtime.fanout import Fanout
from realtime.identity import Identity
from realtime.limits import Rate
from realtime.networks import network_of
from realtime.outgoing import Emission, Signal
from realtime.wire import answer_error, answer_ok, encode_model
from server.faults import faults_of
from server.gate import Credentials, Gate
from server.metrics import Metrics
from server.registry import Registry
from sql.catalogue import Queries
from sql.errors import BadText, Retry, Unavailable
from sql.unit import Connection, Units

UNKNOWN_COMMAND_RATE = RateLimit(30, 60)
RETRY_AFTER_UNAVAILABLE_MS = 1_000
TRIES_AFTER_CONTENTION = 4

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """One call as a transport hands it over. `payload` is decoded JSON, or the reason why it could not be decoded."""

    namespace: str
    name: str
    payload: object | Unparseable
    size_bytes: int
    credentials: Credentials
    address: str
    user_agent: str | None
    listener: Listener


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is the encoded answer for any transport; `error` is None when the command was done."""

    body: bytes
    error: CommandError | None


class Dispatcher:
    """Carries out commands and reactions. Never raises for a command: whatever happens is an answer."""

    def __init__(
        self,
        *,
        registry: Registry,
        units: Units,
        queries: Queries,
        services: Services,
        gate: Gate,
        fanout: Fanout,
        metrics: Metrics,
        wake_relay: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._units = units
        self._queries = queries
        self._services = services
        self._gate = gate
        self._fanout = fanout
        self._metrics = metrics
        self._wake_relay = wake_relay

    async def call(self, request: Request) -> Answer:
        """Does what is asked, or says why not. Answered ok, the change is committed and its pushes are on their way."""
        started_s = time.perf_counter()
        bound = self._registry.find(request.namespace, request.name)
        try:
            data = await self._carry_out(bound, request)
            answer = Answer(answer_ok(data), None)
        except CommandError as error:
            self._report_undeclared(bound, error)
            answer = Answer(answer_error(error), error)
        except Unavailable as error:
            log.warning("unavailable", command=request.name, error=str(error))
            answer = self._unavailable()
        except Exception:
            answer = self._internal(request.name)
        self._metrics.command(
            request.name if bound else "unknown",
            answer.error.code.code if answer.error else "ok",
            time.perf_counter() - started_s,
        )
        return answer

    async def react(self, consumer: Consumer, fact_id: int, fact_name: str, body: bytes) -> bool:
        """Lets a consumer react to a Fact. False when it had reacted before: then nothing is done and nobody is told.

        The effect and its confirmation are one transaction. Raises what the consumer raises, then nothing is stored.
        """
        handler = next(handler for handler in consumer.handlers if handler.fact.name == fact_name)
        data = handler.fact.model.model_validate_json(body)
        caller = Caller(None, "", None)
        async with self._units.write() as connection:
            if not await self._queries.facts.confirm(connection, fact_id=fact_id, consumer=consumer.name):
                return False
            context = Context(connection, self._queries, caller, NOBODY_LISTENS, self._services)
            reaction = await handler.react(context, data)
            await self._store_facts(connection, reaction.facts)
        await self._tell(reaction)
        return True

    async def rooms_at_entry(self, caller: Caller, entry_rooms: Sequence[EntryRooms]) -> list[str]:
        """The rooms that a person's new session belongs to."""
        if not entry_rooms:
            return []
        async with self._units.read() as connection:
            context = Context(connection, self._queries, caller, NOBODY_LISTENS, self._services)
            return [room for rooms_of in entry_rooms for room in await rooms_of(context)]

    async def _carry_out(self, bound: BoundCommand | None, request: Request) -> bytes:
        identity: Identity | None = None
        refused: CommandError | None = None
        try:
            identity = self._gate.identify(request.credentials)
        except CommandError as error:
            refused = error
        await self._count(bound, request, identity)
        if bound is None:
            raise CommandError(UNKNOWN_COMMAND)
        if identity is None and bound.command.access is Access.PERSON:
            # Whoever renews a login sends the outdated token along: it does not matter where nobody needs one.
            raise refused or CommandError(UNAUTHENTICATED)
        if request.size_bytes > bound.command.max_bytes:
            raise CommandError(TOO_LARGE, f"This command takes at most {bound.command.max_bytes} bytes.")
        payload = self._validate(bound, request.payload)
        caller = Caller(identity, request.address, request.user_agent)
        outcome = await self._do(bound, payload, caller, request.listener)
        await self._tell(outcome)
        if isinstance(outcome, Refusal):
            raise outcome.error
        return encode_model(outcome.data)

    async def _count(self, bound: BoundCommand | None, request: Request, identity: Identity | None) -> None:
        rate = bound.command.rate if bound else UNKNOWN_COMMAND_RATE
        open_to_all = bound is not None and bound.command.access is Access.ANYONE
        # A login is no way around the limits of registering and logging in.
        subject = f"u{identity.user_id}" if identity and not open_to_all else f"a{network_of(request.address)}"
        name = request.name if bound else "unknown"
        factor = self._services.policy.rate_limit_factor
        allowed = Rate(max(1, round(rate.count * factor)), rate.per_s)
        decision = await self._services.limiter.hit([(f"{name}:{subject}", allowed, 1)])
        if not decision.allowed:
            raise CommandError(RATE_LIMITED, retry_after_ms=decision.retry_after_ms)

    @staticmethod
    def _validate(bound: BoundCommand, payload: object | Unparseable) -> Any:
        if isinstance(payload, Unparseable):
            raise CommandError(INVALID_PAYLOAD, fields={"": payload.reason})
        try:
            return bound.command.payload.model_validate(payload)
        except ValidationError as error:
            raise CommandError(INVALID_PAYLOAD, fields=faults_of(error)) from None

    async def _do(
        self, bound: BoundCommand, payload: Any, caller: Caller, listener: Listener
    ) -> Outcome[Any] | Refusal:
        """Runs the operation in its unit; contention that PostgreSQL resolved against us is tried again."""
        beforehand = Beforehand(self._units.read, self._queries, caller, listener, self._services)
        prepared = await bound.before(beforehand, payload)
        open_unit = self._units.write if bound.command.writes else self._units.read
        for remaining in reversed(range(TRIES_AFTER_CONTENTION)):
            try:
                async with open_unit() as connection:
                    context = Context(connection, self._queries, caller, listener, self._services)
                    outcome = await bound.operation(context, payload, prepared)
                    await self._store_facts(connection, outcome.facts)
                return outcome
            except BadText:
                raise CommandError(INVALID_PAYLOAD, "The text holds characters that cannot be stored.") from None
            except Retry as error:
                if not remaining:
                    raise Unavailable("contention did not end") from error
        raise AssertionError("unreachable")

    async def _store_facts(self, connection: Connection, facts: Sequence[Happening]) -> None:
        if facts:
            await self._queries.facts.insert_facts(
                connection,
                facts=[happening.fact.name for happening in facts],
                payloads=[encode_model(happening.data).decode() for happening in facts],
            )

    async def _tell(self, outcome: Outcome[Any] | Refusal | Reaction) -> None:
        pushes: Sequence[Emission] = outcome.pushes
        signals: Sequence[Signal] = outcome.signals
        if outcome.facts:
            self._wake_relay()
        if pushes or signals:
            try:
                await self._fanout.publish(pushes, signals)
            except Exception:
                # The change is committed, and that is what the caller asked about.
                log.exception("pushes_failed", pushes=[emission.push.name for emission in pushes])

    @staticmethod
    def _report_undeclared(bound: BoundCommand | None, error: CommandError) -> None:
        if bound is None:
            return
        possible: tuple[ErrorCode, ...] = (*ALWAYS_POSSIBLE, UNAUTHENTICATED, TOKEN_EXPIRED, *bound.command.errors)
        if error.code not in possible:
            log.error("undeclared_error", command=bound.command.name, code=error.code.code)

    @staticmethod
    def _unavailable() -> Answer:
        error = CommandError(UNAVAILABLE, retry_after_ms=RETRY_AFTER_UNAVAILABLE_MS)
        return Answer(answer_error(error), error)

    @staticmethod
    def _internal(name: str) -> Answer:
        incident = uuid.uuid4().hex[:12]
        log.exception("command_failed", command=name, incident=incident)
        error = CommandError(INTERNAL, f"The server failed. The log has the details under {incident}.")
        return Answer(answer_error(error), error)


class _NobodyListens:
    """Stands where there is no connection to push to."""

    is_live = False

    async def listen(self, topic: str) -> None:
        raise RuntimeError("there is no live connection")

    async def unlisten(self, topic: str) -> None:
        raise RuntimeError("there is no live connection")

    async def watch(self, user_ids: Collection[int]) -> set[int]:
        raise RuntimeError("there is no live connection")

    async def unwatch(self, user_ids: Collection[int] | None) -> None:
        raise RuntimeError("there is no live connection")

    async def renew(self, identity: Identity) -> None:
        raise RuntimeError("there is no live connection")


NOBODY_LISTENS: Listener = _NobodyListens()
