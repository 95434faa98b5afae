"""Opens Redis clients, and turns the many errors of a Redis that is away into one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

RedisClient = Redis
"""The type of a client, for packages that do not import redis themselves."""

AWAY_ERRORS = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.OutOfMemoryError,
    exceptions.ClusterDownError,
    exceptions.TryAgainError,
    OSError,
)
"""What redis-py raises when the server cannot carry out any command at this moment."""


class StoreUnavailable(Exception):
    """Redis is away. The command may or may not have been carried out; Redis holds nothing that SQL cannot restore."""


@contextmanager
def store_unavailable_when_away() -> Iterator[None]:
    """Turns the errors of a Redis that is away into StoreUnavailable; all others are defects and pass through."""
    try:
        yield
    except AWAY_ERRORS as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error


def open_redis(
    url: str, *, client_name: str, timeout_s: float = 1.0, connect_timeout_s: float = 0.5, max_connections: int = 32
) -> Redis:
    """Makes a client that connects when it is first used. `url` is `redis://`, `rediss://` or `unix://`.

    Where the server has closed the connection, a command is sent once more on a new one. `timeout_s` bounds the wait
    for each answer, and for a free connection while all are in use.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        client_name=client_name,
        max_connections=max_connections,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=connect_timeout_s,
        retry=Retry(NoBackoff(), 1, supported_errors=(exceptions.ConnectionError,)),
    )
    return Redis.from_pool(pool)
