"""The two events as Commands through the whole dispatch: `python -m loadtest.micro.dispatch_server --port N`.

The token is checked at connect, every payload is validated, every limit is counted in this process. Neither command
uses SQL, so PostgreSQL is not needed. All clients are devices of one person, whose token is printed: `{"token": ...}`.
"""

from __future__ import annotations

import secrets
from typing import Final

from handlers.context import Call, Outcome
from handlers.feature import Feature, bind_without_sql
from handlers.presence.notices import PresenceRows
from loadtest.micro.engine_host import host
from loadtest.micro.local_fanout import LocalFanout
from loadtest.server_process import run, server_options
from realtime.contract.declarations import Command, Push, Repeat, Unit
from realtime.contract.emissions import ToRoom, emission
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import NOTHING, Model, Nothing, Payload
from realtime.engine.recovery.stalled_clients import StalledClients
from realtime.feeds.packed_lists import PackedLists
from realtime.limits.memory_limiter import MemoryLimiter
from realtime.presence.tracker import PresenceTracker
from realtime.presence.watches import PresenceWatches
from realtime.pubsub.rooms import person_room
from realtime.redis.client import open_redis
from server.accounts.authenticator import Authenticator
from server.accounts.passwords import Passwords
from server.accounts.revocations import Revocations
from server.accounts.secrets_file import signing_keys
from server.accounts.token_watch import TokenWatch
from server.accounts.tokens import Tokens
from server.clock import SystemClock
from server.config import load_settings
from server.monitoring.metrics import Metrics
from server.pipeline.dispatch import Dispatcher
from server.pipeline.ready_commands import ReadyCommands
from server.pipeline.registry import Registry
from server.pipeline.services import make_services
from server.pipeline.unit_runner import UnitRunner
from server.rooms.room_reader import RoomReader
from server.transports.sockets import Sockets
from sql.catalogue import load_queries
from sql.pool import close_pool, open_pool
from sql.unit import Units

TOKEN_TTL_S: Final = 3_600
PERSON_ID: Final = 1
UNUSED_ADDRESS: Final = "127.0.0.1:1"
"""The address of PostgreSQL and Redis, which are never used."""
NO_LIMIT: Final = 10_000.0
"""Limits are counted as usual and never reached."""


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
    repeat=Repeat.ACTS,
    works_on=Unit.NONE,
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
    works_on=Unit.NONE,
    rate=RateLimit(100, 1),
    example={"text": "hello"},
)


async def publish(call: Call, said: Said) -> Outcome[Nothing]:
    return Outcome(NOTHING, pushes=(emission(MSG, Heard(text=said.text), ToRoom(person_room(PERSON_ID))),))


async def echo(call: Call, said: Said) -> Outcome[Nothing]:
    return Outcome(NOTHING)


FEATURE: Final = Feature(
    name="micro", commands=(bind_without_sql(PUB, publish), bind_without_sql(ECHO, echo)), pushes=(MSG,)
)


async def serve(port: int) -> None:
    settings = load_settings(
        database_url=f"postgresql://{UNUSED_ADDRESS}/micro",
        redis_url=f"redis://{UNUSED_ADDRESS}",
        rate_limit_factor=NO_LIMIT,
        token_secrets=f"micro:{secrets.token_hex()}",
    )
    clock, metrics, queries = SystemClock(), Metrics(), load_queries()
    pool = await open_pool(
        settings.database_url,
        min_size=0,
        max_size=1,
        connect_timeout_s=settings.connect_timeout_s,
        statement_timeout_ms=settings.statement_timeout_ms,
        idle_in_transaction_timeout_ms=settings.idle_in_transaction_timeout_ms,
    )
    units = Units(pool, acquire_timeout_s=settings.acquire_timeout_s)
    keys = signing_keys(settings.token_secrets, settings.data_dir)
    tokens = Tokens(keys, clock, access_token_ttl_s=TOKEN_TTL_S)
    authenticator = Authenticator(tokens, Revocations(units, queries, clock, access_token_ttl_s=TOKEN_TTL_S), clock)
    limiter, registry = MemoryLimiter(), Registry([FEATURE])
    local = LocalFanout(registry.namespaces)
    passwords = Passwords(concurrency=1, waiting_max=0)
    redis = open_redis(settings.redis_url, client_name="micro")
    rows = PresenceRows(units, queries, clock)
    presence = PresenceTracker(
        local.topic_registry, local.backplane, grace_s=settings.presence_grace_s, note_left=rows.note_left
    )
    services = make_services(
        settings,
        clock=clock,
        tokens=tokens,
        passwords=passwords,
        feeds=PackedLists(redis, prefix="feed"),
        topic_registry=local.topic_registry,
        presence=presence,
        limiter=limiter,
        metrics=metrics,
    )
    dispatcher = Dispatcher(
        commands=ReadyCommands(registry, metrics.commands, rate_limit_factor=NO_LIMIT),
        operations=UnitRunner(units, queries, services),
        limiter=limiter,
        authenticator=authenticator,
        fanout=local.fanout,
        wake_relay=_no_facts,
    )
    policy = Sockets(
        dispatcher=dispatcher,
        room_reader=RoomReader(registry, units, queries),
        authenticator=authenticator,
        membership=local.membership,
        limiter=limiter,
        token_watch=TokenWatch(clock, access_token_ttl_s=TOKEN_TTL_S),
        presence=presence,
        watches=PresenceWatches(presence, local.backplane, tell=rows.tell),
        stalled_clients=StalledClients(),
        rate_limit_factor=NO_LIMIT,
    )
    await local.fanout.start()
    await host(policy, local.hub, port, registry.namespaces, token=tokens.access_token(PERSON_ID, 1).token)
    await local.fanout.stop()
    passwords.close()
    await close_pool(pool, timeout_s=1)


def _no_facts() -> None:
    return None


def main() -> None:
    run(serve(server_options(__doc__).parse_args().port))


if __name__ == "__main__":
    main()
