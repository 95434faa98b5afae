"""The two events as Commands through the whole dispatch: `python -m loadtest.micro.dispatch_server --port N`.

The token is checked at connect, every payload validated, every limit counted in this process. Dispatch opens a unit of
work for each command, so that there is a PostgreSQL behind it, which neither command asks anything.
"""

from __future__ import annotations

import secrets
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from handlers.context import Context, Outcome
from handlers.feature import EntryRooms, Feature, bind
from loadtest.micro.fanning import EVERYBODY, Fanning
from loadtest.micro.hosting import host, run, server_options
from realtime.contract import Command, Push, RateLimit, Repeat
from realtime.limits_memory import MemoryLimiter
from realtime.outgoing import ToRoom, emission
from realtime.packed_lists import PackedLists
from realtime.presence import Presence
from realtime.presence_watches import PresenceWatches
from realtime.redis_client import open_redis
from realtime.wire import Model, Nothing, Payload
from server.auth import Tokens
from server.clock import SystemClock
from server.config import Settings, load_settings
from server.dispatch import Dispatcher
from server.embedded import embedded_servers
from server.entrance import Entrance
from server.gate import Gate
from server.metrics import Metrics
from server.passwords import Passwords
from server.presence_rows import PresenceRows
from server.registry import Registry
from server.revocations import Revocations
from server.secrets_file import signing_keys
from server.services import make_services
from server.sockets import Sockets
from server.token_watch import TokenWatch
from sql.catalogue import Queries, load_queries
from sql.ids import UserId
from sql.pool import close_pool, open_pool
from sql.unit import Connection, Units

TOKEN_TTL_S: Final = 3_600
NO_LIMIT: Final = 10_000.0
"""Limits are counted as always and never reached."""


class Said(Payload):
    text: str


class Heard(Model):
    text: str


MSG: Final = Push(name="msg", namespace="/", model=Heard, audience="Everybody.")
PUB: Final = Command(
    name="pub",
    namespace="/",
    payload=Said,
    ack=Nothing,
    effect="Everybody hears it.",
    repeat=Repeat.READ,
    rate=RateLimit(100, 1),
    example={"text": "hello"},
)
ECHO: Final = Command(
    name="echo",
    namespace="/",
    payload=Said,
    ack=Nothing,
    effect="It is answered.",
    repeat=Repeat.READ,
    rate=RateLimit(100, 1),
    example={"text": "hello"},
)


async def publish(context: Context, said: Said) -> Outcome[Nothing]:
    return Outcome(Nothing(), pushes=(emission(MSG, Heard(text=said.text), ToRoom(EVERYBODY)),))


async def echo(context: Context, said: Said) -> Outcome[Nothing]:
    return Outcome(Nothing())


async def enter_everybody(
    connection: Connection, sql: Queries, user_ids: Sequence[UserId]
) -> Mapping[UserId, Sequence[str]]:
    return dict.fromkeys(user_ids, (EVERYBODY,))


_ENTRY_ROOMS: Final[Mapping[str, EntryRooms]] = {"/": enter_everybody}
FEATURE: Final = Feature(
    name="micro", commands=(bind(PUB, publish), bind(ECHO, echo)), pushes=(MSG,), entry_rooms=_ENTRY_ROOMS
)


async def serve(settings: Settings, port: int) -> None:
    clock, metrics, queries = SystemClock(), Metrics(), load_queries()

    pool = await open_pool(
        settings.database_url,
        min_size=settings.pool_min,
        max_size=settings.pool_max,
        connect_timeout_s=settings.connect_timeout_s,
        statement_timeout_ms=settings.statement_timeout_ms,
        idle_in_transaction_timeout_ms=settings.idle_in_transaction_timeout_ms,
    )
    units = Units(pool, acquire_timeout_s=settings.acquire_timeout_s)
    keys = signing_keys(settings.token_secrets, settings.data_dir)
    tokens = Tokens(keys, clock, access_token_ttl_s=TOKEN_TTL_S)
    gate = Gate(tokens, Revocations(units, queries, clock, access_token_ttl_s=TOKEN_TTL_S), clock)
    limiter, registry = MemoryLimiter(), Registry([FEATURE])
    fanning = Fanning(registry.namespaces)
    passwords = Passwords(concurrency=1, waiting_max=0)
    redis = open_redis("redis://127.0.0.1:1", client_name="micro")
    rows = PresenceRows(units, queries, clock)
    presence = Presence(
        fanning.listeners, fanning.backplane, grace_s=settings.presence_grace_s, note_left=rows.note_left
    )
    services = make_services(
        settings,
        clock=clock,
        tokens=tokens,
        passwords=passwords,
        feeds=PackedLists(redis, prefix="feed"),
        listeners=fanning.listeners,
        presence=presence,
        limiter=limiter,
        metrics=metrics,
    )
    dispatcher = Dispatcher(
        registry=registry,
        units=units,
        queries=queries,
        services=services,
        gate=gate,
        fanout=fanning.fanout,
        metrics=metrics,
        wake_relay=_no_facts,
    )
    policy = Sockets(
        dispatcher=dispatcher,
        entrance=Entrance(registry, units, queries),
        gate=gate,
        membership=fanning.membership,
        limiter=limiter,
        token_watch=TokenWatch(clock, access_token_ttl_s=TOKEN_TTL_S),
        presence=presence,
        watches=PresenceWatches(presence, fanning.backplane, tell=rows.tell),
        rate_limit_factor=NO_LIMIT,
    )
    await fanning.fanout.start()
    await host(policy, fanning.hub, port, registry.namespaces, token=tokens.access_token(1, 1).token)
    await fanning.fanout.stop()
    passwords.close()
    await close_pool(pool, timeout_s=1)


def _no_facts() -> None:
    return None


def main() -> None:
    options = server_options(__doc__).parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # while it starts too, PostgreSQL is not left behind
    with tempfile.TemporaryDirectory() as folder:
        with embedded_servers(Path(folder), valkey=False, durable=False) as embedded:
            settings = load_settings(
                database_url=embedded.database_url,
                redis_url="",
                rate_limit_factor=NO_LIMIT,
                token_secrets=f"micro:{secrets.token_hex()}",
            )
            run(serve(settings, options.port))


if __name__ == "__main__":
    main()
