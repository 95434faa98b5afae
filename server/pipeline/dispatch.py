"""The one pipeline of every command and every reaction, whichever transport or stream brought it:

find, count, authenticate, check the size, validate, do, store the facts, commit, then publish and answer.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import structlog
from pydantic import ValidationError

from handlers.context import Caller, Outcome, Reaction, Refusal
from handlers.feature import Consumer
from handlers.ports import CallerSession
from realtime.contract.emissions import Emission, Signal
from realtime.contract.errors import (
    INTERNAL,
    INVALID_PAYLOAD,
    RATE_LIMITED,
    TOO_LARGE,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNKNOWN_COMMAND,
    CommandError,
)
from realtime.contract.identity import Identity
from realtime.contract.unparseable import Unparseable
from realtime.contract.wire import answer_error, answer_ok, encode_model
from realtime.limits.limiter import Check, Limiter
from realtime.limits.networks import network_of
from realtime.pubsub.fanout import Fanout
from server.accounts.authenticator import Authenticator, Credentials
from server.pipeline.payload_faults import faults_of
from server.pipeline.ready_commands import Admission, ReadyCommand, ReadyCommands
from server.pipeline.unit_runner import UnitRunner
from sql.errors import Unavailable

RETRY_AFTER_UNAVAILABLE_MS = 1_000

log = structlog.get_logger(__name__)


class Request(NamedTuple):
    """One call as a transport hands it over. `payload` is decoded JSON, or the reason why it could not be decoded."""

    namespace: str
    name: str
    payload: object | Unparseable
    size_bytes: int
    credentials: Credentials
    address: str
    user_agent: str | None
    session: CallerSession


class Answer(NamedTuple):
    """`body` is the encoded answer for any transport; `error` is None when the command was done."""

    body: bytes
    error: CommandError | None


class Dispatcher:
    """Carries out commands and reactions. Never raises for a command: whatever happens is an answer."""

    def __init__(
        self,
        *,
        commands: ReadyCommands,
        operations: UnitRunner,
        limiter: Limiter,
        authenticator: Authenticator,
        fanout: Fanout,
        wake_relay: Callable[[], None],
    ) -> None:
        self._commands = commands
        self._operations = operations
        self._limiter = limiter
        self._authenticator = authenticator
        self._fanout = fanout
        self._wake_relay = wake_relay

    async def call(self, request: Request) -> Answer:
        """Does what is asked, or says why not. Answered ok, the change is committed and its pushes are on their way."""
        started_s = time.perf_counter()
        command = self._commands.find(request.namespace, request.name)
        try:
            answer = Answer(answer_ok(await self._carry_out(command, request)), None)
        except CommandError as error:
            _report_undeclared(command, error)
            answer = Answer(answer_error(error), error)
        except Unavailable as failure:
            log.warning("unavailable", command=request.name, error=str(failure))
            answer = _unavailable()
        except Exception:
            answer = _internal(request.name)
        command.tally.note(answer.error.code.code if answer.error else "ok", time.perf_counter() - started_s)
        return answer

    async def react(
        self, consumer: Consumer, fact_id: int, fact_name: str, body: bytes, *, may_be_untold: bool = False
    ) -> bool:
        """Lets a consumer react to a Fact. False when it had reacted before: then nothing is done and nobody is told.

        Raises what the consumer raises, then nothing is stored. `may_be_untold`: whoever reacted before may have died
        before its pushes; they are made and sent again then.
        """
        reacted = await self._operations.react(consumer, fact_id, fact_name, body, again=may_be_untold)
        if reacted is None:
            return False
        await self._tell(reacted.reaction)
        return reacted.is_new

    async def _carry_out(self, command: Admission, request: Request) -> bytes:
        identity: Identity | None = None
        refused: CommandError | None = None
        try:
            identity = self._authenticator.identify(request.credentials)
        except CommandError as error:
            refused = error
        decision = await self._limiter.hit((_counted(command, request.address, identity),))
        if not decision.allowed:
            raise CommandError(RATE_LIMITED, retry_after_ms=decision.retry_after_ms)
        if not isinstance(command, ReadyCommand):
            raise CommandError(UNKNOWN_COMMAND)
        if identity is None and command.for_persons:
            # Whoever renews a login sends the outdated token along: it does not matter where nobody needs one.
            raise refused or CommandError(UNAUTHENTICATED)
        if request.size_bytes > command.max_bytes:
            raise CommandError(TOO_LARGE, f"This command takes at most {command.max_bytes} bytes.")
        payload = _validated(command, request.payload)
        caller = Caller(identity, request.address, request.user_agent)
        outcome = await self._operations.do(command.bound, payload, caller, request.session)
        if outcome.pushes or outcome.facts or outcome.signals:
            await self._tell(outcome)
        if isinstance(outcome, Refusal):
            raise outcome.error
        return encode_model(outcome.data)

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


def _counted(command: Admission, address: str, identity: Identity | None) -> Check:
    subject = f"a{network_of(address)}" if identity is None or command.by_address else f"u{identity.user_id}"
    return f"{command.name}:{subject}", command.rate, 1


def _validated(command: ReadyCommand, payload: object | Unparseable) -> Any:
    if isinstance(payload, Unparseable):
        raise CommandError(INVALID_PAYLOAD, fields={"": payload.reason})
    try:
        return command.validate(payload)
    except ValidationError as error:
        raise CommandError(INVALID_PAYLOAD, fields=faults_of(error)) from None


def _report_undeclared(command: Admission, error: CommandError) -> None:
    if isinstance(command, ReadyCommand) and error.code not in command.errors:
        log.error("undeclared_error", command=command.name, code=error.code.code)


def _unavailable() -> Answer:
    error = CommandError(UNAVAILABLE, retry_after_ms=RETRY_AFTER_UNAVAILABLE_MS)
    return Answer(answer_error(error), error)


def _internal(name: str) -> Answer:
    incident = uuid.uuid4().hex[:12]
    log.exception("command_failed", command=name, incident=incident)
    error = CommandError(INTERNAL, f"The server failed. The log has the details under {incident}.")
    return Answer(answer_error(error), error)
