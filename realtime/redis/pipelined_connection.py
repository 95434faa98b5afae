"""Sends the commands of many callers over one connection to Redis."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

import structlog
from hiredis import pack_command
from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog
from realtime.process.stall_tolerant_timeout import stall_tolerant_timeout
from realtime.redis.client import StoreUnavailable, unavailability

Argument = str | bytes | int
_pack: Callable[[tuple[Argument, ...]], bytes] = pack_command  # type: ignore[assignment]  # its stub lacks the dots
"""redis-py takes several times as long to pack a command."""
MAX_COMMANDS_PER_WRITE = 1_000
_FIRST_DELAY_S = 0.05
_LONGEST_DELAY_S = 0.5

_WRITE_NOTHING: tuple[Argument, ...] = ("RPUSHX", "no-list", "x")
"""A write that changes nothing. A server that refuses writes still answers reads, from data that gets old, and
PUBLISH, which may reach nobody: a demoted primary does both."""

log = structlog.get_logger(__name__)


def private_connection(redis: Redis) -> AbstractConnection:
    """A connection outside the client's pool with the same address and credentials, not yet connected.

    It connects and reads without a timeout, which its owner has, and never retries. It speaks RESP2: with RESP3
    redis-py formats every push for its log.
    """
    pool = redis.connection_pool
    settings = {
        **pool.connection_kwargs,
        "socket_timeout": None,
        "socket_connect_timeout": None,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }
    connection: AbstractConnection = pool.connection_class(**settings)
    return connection


async def connect_for_writes(connection: AbstractConnection) -> None:
    """Connects; does nothing when connected. Raises an error of redis-py also where the server refuses writes."""
    if connection.is_connected:
        return
    await connection.connect_check_health(retry_socket_connect=False)
    await connection.send_packed_command(connection.pack_command(*_WRITE_NOTHING), check_health=False)
    await connection.read_response(disable_decoding=True, timeout=math.inf)


class ReconnectBackoff:
    """The delays between attempts to reach a server that is away: they double, up to half a second."""

    def __init__(self) -> None:
        self._delay_s = _FIRST_DELAY_S

    def reset(self) -> None:
        """Starts again with the shortest delay, after a success."""
        self._delay_s = _FIRST_DELAY_S

    async def wait(self) -> None:
        delay_s, self._delay_s = self._delay_s, min(self._delay_s * 2, _LONGEST_DELAY_S)
        await asyncio.sleep(delay_s)


class _Batch:
    __slots__ = ("commands", "replies")

    def __init__(self, commands: Sequence[tuple[Argument, ...]], replies: asyncio.Future[list[object]]) -> None:
        self.commands = commands
        self.replies = replies


class PipelinedConnection:
    """Sends commands in the order of the calls; those made while others wait for their answers are sent together.

    A command costs a few microseconds instead of the 40-60 of a redis-py call of its own. Commands that block the
    connection must not be sent here. Nothing is sent twice. While Redis is known to be away every call fails at once;
    the connection is made again in the background. A server that refuses writes is away for every command.
    """

    def __init__(self, redis: Redis, *, timeout_s: float = 0.4) -> None:
        self._redis = redis
        self._timeout_s = timeout_s
        self._waiting: list[_Batch] = []
        self._has_waiting = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._away: StoreUnavailable | None = None
        self._defects = OutageLog(log, "redis_connection_failed", known=())

    @property
    def away(self) -> StoreUnavailable | None:
        """What a call would fail with at once; None while calls are sent."""
        return self._away

    async def stop(self) -> None:
        """Closes the connection for good; unanswered calls and later ones fail with StoreUnavailable."""
        await end_task(self._task)
        self._task = None
        self._away = StoreUnavailable("stopped")
        self._fail(self._take_all_waiting(), self._away)

    async def send(self, *command: Argument) -> object:
        """The server's answer to one command. Raises StoreUnavailable, or ResponseError if it failed."""
        (reply,) = await self.send_many([command])
        if isinstance(reply, exceptions.ResponseError):
            raise reply
        return reply

    async def send_many(self, commands: Sequence[tuple[Argument, ...]]) -> list[object]:
        """The answers in the order of the commands, a ResponseError for a failed one. Raises StoreUnavailable."""
        if self._away is not None:
            raise _again(self._away)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="redis-pipelined")
        replies: asyncio.Future[list[object]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Batch(commands, replies))
        self._has_waiting.set()
        return await replies

    async def _run(self) -> None:
        backoff = ReconnectBackoff()
        while True:
            connection = private_connection(self._redis)
            try:
                async with stall_tolerant_timeout(self._timeout_s):
                    await connect_for_writes(connection)
                self._away = None
                backoff.reset()
                await self._serve(connection)
            except Exception as error:
                self._away = self._unavailable(error)
                self._fail(self._take_all_waiting(), self._away)
            finally:
                await connection.disconnect(nowait=True)
            await backoff.wait()

    async def _serve(self, connection: AbstractConnection) -> None:
        """Sends the waiting commands until the connection fails, which it raises."""
        while True:
            await self._has_waiting.wait()
            if await connection.can_read():  # nothing was requested: the server has closed the idle connection
                await connection.disconnect(nowait=True)
                async with stall_tolerant_timeout(self._timeout_s):
                    await connect_for_writes(connection)
            batches = self._take_next_write()
            try:
                async with stall_tolerant_timeout(self._timeout_s):
                    await self._exchange(connection, batches)
            except asyncio.CancelledError:
                self._fail(batches, StoreUnavailable("stopped"))
                raise
            except Exception as error:
                self._fail(batches, self._unavailable(error))
                raise

    async def _exchange(self, connection: AbstractConnection, batches: Sequence[_Batch]) -> None:
        commands = [command for batch in batches for command in batch.commands]
        packed = b"".join(map(_pack, (*commands, _WRITE_NOTHING)))
        await connection.send_packed_command(packed, check_health=False)
        answers = [[await self._reply(connection, command) for command in batch.commands] for batch in batches]
        await self._reply(connection, _WRITE_NOTHING)
        for batch, replies in zip(batches, answers, strict=True):
            if not batch.replies.done():
                batch.replies.set_result(replies)
        self._defects.succeeded()

    @staticmethod
    async def _reply(connection: AbstractConnection, command: tuple[Argument, ...]) -> object:
        """The answer, a ResponseError for a command that failed. Raises where the server refuses commands."""
        try:
            reply = await connection.read_response(disable_decoding=True, timeout=math.inf)
        except exceptions.ResponseError as error:
            if unavailability(error) is not None:
                raise
            return error
        if command[0] == "EXEC" and isinstance(reply, list):
            for part in reply:
                if isinstance(part, exceptions.ResponseError) and unavailability(part) is not None:
                    raise part
        return reply

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        unavailable = unavailability(error)
        if unavailable is None:
            self._defects.failed(error)
            return StoreUnavailable(f"{type(error).__name__}: {error}")
        return unavailable

    def _take_next_write(self) -> list[_Batch]:
        """Takes whole batches up to the first that reaches MAX_COMMANDS_PER_WRITE."""
        count = 0
        for index, batch in enumerate(self._waiting):
            count += len(batch.commands)
            if count >= MAX_COMMANDS_PER_WRITE:
                taken, self._waiting = self._waiting[: index + 1], self._waiting[index + 1 :]
                break
        else:
            taken = self._take_all_waiting()
        if not self._waiting:
            self._has_waiting.clear()
        return taken

    def _take_all_waiting(self) -> list[_Batch]:
        taken, self._waiting = self._waiting, []
        self._has_waiting.clear()
        return taken

    @staticmethod
    def _fail(batches: Sequence[_Batch], reason: StoreUnavailable) -> None:
        for batch in batches:
            if not batch.replies.done():
                batch.replies.set_exception(_again(reason))


def _again(reason: StoreUnavailable) -> StoreUnavailable:
    """An exception for one caller: raising one object for many would tie their tracebacks together."""
    return type(reason)(*reason.args)
