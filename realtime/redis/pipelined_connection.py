"""Sends the commands of many callers over one connection to Redis."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import structlog
from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from realtime.process.background_tasks import end_task
from realtime.process.stall_tolerant_timeout import stall_tolerant_timeout
from realtime.redis.client import AWAY_ERRORS, StoreUnavailable

Argument = str | bytes | int
MAX_COMMANDS_PER_WRITE = 1_000
_FIRST_DELAY_S = 0.05
_LONGEST_DELAY_S = 0.5

log = structlog.get_logger(__name__)


def private_connection(redis: Redis) -> AbstractConnection:
    """A connection outside the client's pool with the same address and credentials, not yet connected.

    It reads without a timeout and never retries. It speaks RESP2: with RESP3 redis-py formats every push for its log.
    """
    pool = redis.connection_pool
    settings = {**pool.connection_kwargs, "socket_timeout": None, "retry": Retry(NoBackoff(), 0), "protocol": 2}
    connection: AbstractConnection = pool.connection_class(**settings)
    return connection


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
    the connection is made again in the background.
    """

    def __init__(self, redis: Redis, *, timeout_s: float = 0.4) -> None:
        self._redis = redis
        self._timeout_s = timeout_s
        self._waiting: list[_Batch] = []
        self._has_waiting = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._away = False

    @property
    def is_away(self) -> bool:
        """True while a call would fail at once."""
        return self._away

    async def stop(self) -> None:
        """Closes the connection for good; unanswered calls and later ones fail with StoreUnavailable."""
        await end_task(self._task)
        self._task = None
        self._away = True
        self._fail(self._take_all_waiting(), "stopped")

    async def send(self, *command: Argument) -> object:
        """The server's answer to one command. Raises StoreUnavailable, or ResponseError if it failed."""
        (reply,) = await self.send_many([command])
        if isinstance(reply, exceptions.ResponseError):
            raise reply
        return reply

    async def send_many(self, commands: Sequence[tuple[Argument, ...]]) -> list[object]:
        """The answers in the order of the commands, a ResponseError for a failed one. Raises StoreUnavailable."""
        if self._away:
            raise StoreUnavailable("away")
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
                    await connection.connect_check_health(retry_socket_connect=False)
                self._away = False
                backoff.reset()
                await self._serve(connection)
            except Exception as error:
                if not isinstance(error, AWAY_ERRORS):
                    log.exception("redis_connection_failed")
                self._away = True
                self._fail(self._take_all_waiting(), f"{type(error).__name__}: {error}")
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
                    await connection.connect_check_health(retry_socket_connect=False)
            batches = self._take_next_write()
            try:
                async with stall_tolerant_timeout(self._timeout_s):
                    await self._exchange(connection, batches)
            except BaseException as error:
                self._fail(batches, f"{type(error).__name__}: {error}")
                raise

    async def _exchange(self, connection: AbstractConnection, batches: Sequence[_Batch]) -> None:
        packed = connection.pack_commands([command for batch in batches for command in batch.commands])
        await connection.send_packed_command(packed, check_health=False)
        for batch in batches:
            replies: list[object] = []
            for _ in batch.commands:
                try:
                    replies.append(await connection.read_response(disable_decoding=True, timeout=math.inf))
                except exceptions.ResponseError as error:
                    if isinstance(error, AWAY_ERRORS):
                        raise
                    replies.append(error)
            if not batch.replies.done():
                batch.replies.set_result(replies)

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
    def _fail(batches: Sequence[_Batch], reason: str) -> None:
        for batch in batches:
            if not batch.replies.done():
                batch.replies.set_exception(StoreUnavailable(reason))
