"""Opens Redis clients, and turns the many errors of a Redis that is away, or refuses, into one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

RedisClient = Redis
"""The type of a client, for packages that do not import redis themselves."""

REFUSALS = frozenset(
    {
        "NOREPLICAS",  # fewer replicas than min-replicas-to-write
        "MISCONF",  # it cannot save to its disk
        "OOM",  # above maxmemory, and nothing may be evicted
        "READONLY",  # a replica, also a primary that was demoted
        "MASTERDOWN",  # a replica that has lost its primary
        "LOADING",  # it reads its data after a start
        "BUSY",  # a script of somebody runs for too long
        "NOAUTH",
        "WRONGPASS",
        "NOPERM",
        "CLUSTERDOWN",
        "TRYAGAIN",
        "MOVED",  # another server has this part of the keys now
        "ASK",
    }
)
"""The codes of error replies by which a server that is up says that it does not carry out commands now."""

_OF_SCRIPTS_AND_TRANSACTIONS = (
    ("Transaction discarded because of: ", ""),
    ("ERR ACL failure in script: ", "NOPERM "),
)
"""How replies to EXEC and to scripts begin that hide the code of a refusal, and what stands there otherwise."""


class StoreUnavailable(Exception):
    """Redis is away. The command may or may not have been carried out; Redis holds nothing that SQL cannot restore."""


class StoreRefuses(StoreUnavailable):
    """Redis is up and refuses to carry out commands, or those that write."""


def unavailability(error: BaseException) -> StoreUnavailable | None:
    """What an error of redis-py says about the server; None where it says that the command was wrong, a defect."""
    if isinstance(error, exceptions.ConnectionError) and isinstance(error.__cause__, exceptions.RedisError):
        # the reply that a new connection got, on a Unix socket
        return unavailability(error.__cause__) or StoreUnavailable(str(error))
    text = str(error)
    if isinstance(error, exceptions.RedisError):
        reply = text if error.status_code in (None, "EXECABORT") else f"{error.status_code} {text}"
        for beginning, instead in _OF_SCRIPTS_AND_TRANSACTIONS:
            if reply.startswith(beginning):
                reply = instead + reply.removeprefix(beginning)
        if reply.partition(" ")[0] in REFUSALS:
            return StoreRefuses(reply)
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
        return StoreUnavailable(f"{type(error).__name__}: {text}")
    return None


@contextmanager
def store_unavailable_when_away() -> Iterator[None]:
    """Turns the errors of a Redis that is away, or refuses, into StoreUnavailable; others are defects."""
    try:
        yield
    except Exception as error:
        unavailable = unavailability(error)
        if unavailable is None:
            raise
        raise unavailable from error


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
