"""A feature that answers what it was given, to see what became of a request on its way."""

from __future__ import annotations

from typing import Annotated, Final

from handlers.context import Context, Outcome
from handlers.feature import Feature, bind_command
from realtime.contract.declarations import Access, Command, Repeat, Route
from realtime.contract.errors import COMMON_ERRORS, CommandError
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import ClientId, Id, Model, PageLimit, Payload, TextRule, WireId

NAMESPACE: Final = "/echo"
RETRY_AFTER_MS: Final = 2_300
_CODES = {code.code: code for code in COMMON_ERRORS}


class Read(Payload):
    thing_id: Id
    limit: PageLimit | None = None
    deep: bool | None = None
    text: Annotated[str, TextRule(100)] | None = None


class Write(Payload):
    thing_id: Id
    text: str
    client_id: ClientId | None = None


class Fail(Payload):
    code: Annotated[str, TextRule(50)]


class Echo(Model):
    thing_id: WireId | None = None
    limit: int | None = None
    deep: bool | None = None
    text: str | None = None
    client_id: str | None = None


async def _read(ctx: Context, cmd: Read) -> Outcome[Echo]:
    return Outcome(Echo(**cmd.model_dump()))


async def _write(ctx: Context, cmd: Write) -> Outcome[Echo]:
    return Outcome(Echo(**cmd.model_dump()))


async def _fail(ctx: Context, cmd: Fail) -> Outcome[Echo]:
    code = _CODES[cmd.code]
    raise CommandError(code, retry_after_ms=RETRY_AFTER_MS if code.retryable else None)


_RATE = RateLimit(1_000, 60)

READ = Command(
    name="echo:read",
    namespace=NAMESPACE,
    payload=Read,
    ack=Echo,
    effect="Answers the payload.",
    repeat=Repeat.READ,
    rate=_RATE,
    access=Access.ANYONE,
    routes=(
        Route("GET", "/echo/{thing_id}"),
        Route("GET", "/echo/the/{thing_id}"),
        Route("DELETE", "/echo/{thing_id}"),
    ),
)
WRITE = Command(
    name="echo:write",
    namespace=NAMESPACE,
    payload=Write,
    ack=Echo,
    effect="Answers the payload.",
    repeat=Repeat.CLIENT_ID,
    rate=_RATE,
    access=Access.ANYONE,
    takes_bytes=1_000_000,
    routes=(Route("POST", "/echo/{thing_id}", 201), Route("PUT", "/echo/{thing_id}")),
)
FAIL = Command(
    name="echo:fail",
    namespace=NAMESPACE,
    payload=Fail,
    ack=Echo,
    effect="Answers the error that it is asked for.",
    repeat=Repeat.READ,
    rate=_RATE,
    access=Access.ANYONE,
    errors=COMMON_ERRORS,
    routes=(Route("GET", "/fail"),),
)
ECHO: Final = Feature(
    name="echo", commands=(bind_command(READ, _read), bind_command(WRITE, _write), bind_command(FAIL, _fail))
)
