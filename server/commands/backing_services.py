"""PostgreSQL and Redis for a command: those of the settings, else the embedded ones."""

import asyncio
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from server.cli_error import CliError
from server.config import Settings
from server.dev.embedded import embedded_servers

_PASSWORD_FIELD = re.compile(r"([?&]password=)[^&#]*")


def report(text: str) -> None:
    """Prints a line of progress to standard error."""
    print(f"rookery: {text}", file=sys.stderr, flush=True)


@contextmanager
def dependencies(settings: Settings, *, redis: bool = True) -> Iterator[Settings]:
    """Yields settings with the addresses of PostgreSQL and Redis, which answer inside the block.

    Raises CliError or EmbeddedError.
    """
    with embedded_servers(
        settings.data_dir, postgres=not settings.database_url, valkey=redis and not settings.redis_url, report=report
    ) as urls:
        reached = settings.model_copy(
            update={
                "database_url": settings.database_url or urls.database_url or "",
                "redis_url": settings.redis_url or urls.redis_url or "",
            }
        )
        if settings.database_url:
            asyncio.run(_reach_database(reached))
        if redis and settings.redis_url:
            asyncio.run(_reach_redis(reached))
        yield reached


def refuse_busy_port(settings: Settings) -> None:
    """Raises CliError when the server could not listen on its host and port."""
    try:
        with socket.create_server((settings.host, settings.port)):
            pass
    except OSError as error:
        place = f"{settings.host}:{settings.port}"
        if isinstance(error, PermissionError):
            raise CliError(f"may not listen on {place}: choose a port above 1023 with --port") from error
        if error.errno is not None and "in use" in str(error):
            raise CliError(
                f"port {settings.port} is in use: stop what listens there, or choose another one with --port N"
            ) from error
        raise CliError(f"cannot listen on {place}: {error.strerror or error}") from error


def without_password(url: str) -> str:
    """The address without its password, which may stand in front of the host or in the query."""
    parts = urlsplit(url)
    shown = url.replace(f":{parts.password}@", ":…@") if parts.password else url
    return _PASSWORD_FIELD.sub(r"\1…", shown)


async def _reach_database(settings: Settings) -> None:
    from sql.errors import Unavailable
    from sql.migrate import pending
    from sql.sessions import StatementsLost, refuse_lost_statements

    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            await pending(settings.database_url)
            if settings.database_named_statements:
                await refuse_lost_statements(settings.database_url)
    except StatementsLost as error:
        raise CliError(
            f"the pooler at {without_password(settings.database_url)} loses prepared statements: set "
            "DATABASE_NAMED_STATEMENTS=false, or max_prepared_statements in PgBouncer 1.21 or newer"
        ) from error
    except (Unavailable, TimeoutError) as error:
        raise CliError(
            f"cannot reach PostgreSQL at {without_password(settings.database_url)} ({_short(error)}): "
            "start it, or correct DATABASE_URL"
        ) from error


async def _reach_redis(settings: Settings) -> None:
    from realtime.redis.client import StoreUnavailable, open_redis, store_unavailable_when_away

    client = open_redis(settings.redis_url, client_name="rookery-check", connect_timeout_s=settings.connect_timeout_s)
    try:
        with store_unavailable_when_away():
            await client.ping()
    except StoreUnavailable as error:
        raise CliError(
            f"cannot reach Redis at {without_password(settings.redis_url)} ({_short(error)}): "
            "start it, or correct REDIS_URL"
        ) from error
    finally:
        await client.aclose()


def _short(error: BaseException) -> str:
    return (str(error) or "no answer in time").splitlines()[0]
