"""The one pipeline of all commands, whichever transport they come from.

A command goes: find, count, authenticate, check the size, validate, run, store the Facts, commit, publish, answer.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import structlog
from pydantic import ValidationError

from handlers.context import Caller, Refusal
from handlers.ports import CallerSession
from realtime.contract.encoded import encode_answer
from realtime.contract.errors import (
    FORBIDDEN,
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
from realtime.contract.wire import answer_error, answer_ok
from realtime.limits.deferred_limiter import DeferredLimiter
from realtime.limits.limiter import Decision, Limiter
from realtime.limits.networks import network_of
from server.accounts.authenticator import Authenticator, Credentials
from server.pipeline.command_table import CommandEntry, CommandTable, KnownCommand
from server.pipeline.field_errors import field_errors
from server.pipeline.publisher import Publisher
from server.pipeline.unit_runner import UnitRunner
from sql.errors import Unavailable

RETRY_AFTER_UNAVAILABLE_MS = 1_000

log = structlog.get_logger(__name__)


class Request(NamedTuple):
    """A call as a transport received it. `payload` is decoded JSON, or the reason why it could not be decoded.

    `caller_ids` is what it says beside that about who calls: the caller's own id or `me`, else the call is `forbidden`.
    """

    namespace: str
    name: str
    payload: object | Unparseable
    size_bytes: int
    credentials: Credentials
    address: str
    user_agent: str | None
    session: CallerSession
    caller_ids: Sequence[object] = ()


class _AnotherCaller(CommandError):
    """A command for the caller's own things was called for somebody else's."""

    def __init__(self) -> None:
        super().__init__(FORBIDDEN, "This names another user than the caller.")


class Answer(NamedTuple):
    """`body` is the encoded answer for any transport; `error` is None when the command succeeded."""

    body: bytes
    error: CommandError | None


class Dispatcher:
    """Runs commands. It never raises: every failure becomes an answer."""

    def __init__(
        self,
        *,
        commands: CommandTable,
        unit_runner: UnitRunner,
        limiter: Limiter,
        deferred_limiter: DeferredLimiter,
        authenticator: Authenticator,
        publisher: Publisher,
    ) -> None:
        self._commands = commands
        self._unit_runner = unit_runner
        self._limiter = limiter
        self._deferred_limiter = deferred_limiter
        self._authenticator = authenticator
        self._publisher = publisher

    async def call(self, request: Request) -> Answer:
        """Runs a command. When the answer is `ok`, the change is committed and its pushes are published."""
        started_s = time.perf_counter()
        command = self._commands.find(request.namespace, request.name)
        try:
            answer = Answer(answer_ok(await self._run(command, request)), None)
        except CommandError as error:
            _log_undeclared(command, error)
            answer = Answer(answer_error(error), error)
        except Unavailable as failure:
            log.warning("unavailable", command=request.name, error=str(failure))
            answer = _unavailable()
        except Exception:
            answer = _internal(request.name)
        command.tally.count(answer.error.code.code if answer.error else "ok", time.perf_counter() - started_s)
        return answer

    async def _run(self, command: CommandEntry, request: Request) -> bytes:
        identity: Identity | None = None
        auth_error: CommandError | None = None
        try:
            identity = self._authenticator.identify(request.credentials)
        except CommandError as error:
            auth_error = error
        decision = await self._count(command, request.address, identity)
        if not decision.allowed:
            raise CommandError(RATE_LIMITED, retry_after_ms=decision.retry_after_ms)
        if not isinstance(command, KnownCommand):
            raise CommandError(UNKNOWN_COMMAND)
        if identity is None and command.for_persons:
            # Only here: a client that refreshes its login sends the expired token along with an anonymous command.
            raise auth_error or CommandError(UNAUTHENTICATED)
        if any(caller_id not in _names_of(identity) for caller_id in request.caller_ids):
            raise _AnotherCaller
        if request.size_bytes > command.max_bytes:
            raise CommandError(TOO_LARGE, f"This command takes at most {command.max_bytes} bytes.")
        payload = _validated(command, request.payload)
        caller = Caller(identity, request.address, request.user_agent)
        outcome = await self._unit_runner.run(command.bound, payload, caller, request.session)
        if any(outcome[1:]):
            await self._publisher.publish(outcome)
        if isinstance(outcome, Refusal):
            raise outcome.error
        return encode_answer(outcome.data)

    async def _count(self, command: CommandEntry, address: str, identity: Identity | None) -> Decision:
        """Counts a call against the command's limit. Those open to strangers (logins, codes) are counted exactly."""
        if command.by_address:
            return await self._limiter.hit(((f"{command.name}:a{network_of(address)}", command.rate, 1),))
        subject = f"a{network_of(address)}" if identity is None else f"u{identity.user_id}"
        return await self._deferred_limiter.admit(f"{command.name}:{subject}", command.rate)


def _names_of(identity: Identity | None) -> Sequence[str]:
    return () if identity is None else ("me", str(identity.user_id))


def _validated(command: KnownCommand, payload: object | Unparseable) -> Any:
    if isinstance(payload, Unparseable):
        raise CommandError(INVALID_PAYLOAD, fields={"": payload.reason})
    try:
        return command.validate(payload)
    except ValidationError as error:
        raise CommandError(INVALID_PAYLOAD, fields=field_errors(error)) from None


def _log_undeclared(command: CommandEntry, error: CommandError) -> None:
    if isinstance(command, KnownCommand) and error.code not in command.errors and type(error) is not _AnotherCaller:
        log.error("undeclared_error", command=command.name, code=error.code.code)


def _unavailable() -> Answer:
    error = CommandError(UNAVAILABLE, retry_after_ms=RETRY_AFTER_UNAVAILABLE_MS)
    return Answer(answer_error(error), error)


def _internal(name: str) -> Answer:
    # Over HTTP, the id of the request, which its answer and its other log lines have too.
    incident = structlog.contextvars.get_contextvars().get("request_id") or uuid.uuid4().hex[:12]
    log.exception("command_failed", command=name, incident=incident)
    error = CommandError(INTERNAL, f"The server failed. The log has the details under {incident}.")
    return Answer(answer_error(error), error)
