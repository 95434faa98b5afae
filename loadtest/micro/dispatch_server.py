"""The two events as Commands through the whole dispatch: `python -m loadtest.micro.dispatch_server --port N`.

The token is checked at connect, every payload is validated, every limit is counted in this process. Neither command
uses SQL, so PostgreSQL is not needed. All clients are devices of one person, whose token is printed: `{"token": ...}`.
"""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack
from typing import Final

from handlers.context import Call, Outcome
from handlers.feature import Feature, bind_plain_command
from handlers.presence.notices import PresenceNotices
from loadtest.micro.engine_host import host
from loadtest.micro.local_fanout import LocalFanout
from loadtest.server_process import run, server_options
from realtime.bodies.body_cache import BodyCache
from realtime.contract.declarations import Command, Push, Repeat, Unit
from realtime.contract.emissions import ToRoom, emission
from realtime.contract.payload_size import LEAST_BYTES
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import NOTHING, Model, Nothing, Payload
from realtime.engine.recovery.stalled_clients import StalledClients
from realtime.feeds.packed_lists import PackedLists
from realtime.limits.deferred_limiter import DeferredLimiter
from realtime.limits.memory_limiter import MemoryLimiter
from realtime.limits.redis_limiter import RedisLimiter
from realtime.presence.tracker import PresenceTracker
from realtime.presence.watches import PresenceWatches
from realtime.pubsub.room_names import person_room
from server.clock import SystemClock
from server.composition.accounts import build_accounts
from server.composition.storage import open_storage
from server.config import load_settings
from server.monitoring.metrics import Metrics
from server.pipeline.command_table import CommandTable
from server.pipeline.dispatch import Dispatcher
from server.pipeline.publisher import Publisher
from server.pipeline.registry import Registry
from server.pipeline.services import make_services
from server.pipeline.unit_runner import UnitRunner
from server.rooms.room_reader import RoomReader
from server.transports.sockets import SocketPolicy

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
    takes_bytes=LEAST_BYTES,
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
    takes_bytes=LEAST_BYTES,
    example={"text": "hello"},
)


async def publish(call: Call, said: Said) -> Outcome[Nothing]:
    return Outcome(NOTHING, pushes=(emission(MSG, Heard(text=said.text), ToRoom(person_room(PERSON_ID))),))


async def echo(call: Call, said: Said) -> Outcome[Nothing]:
    return Outcome(NOTHING)


FEATURE: Final = Feature(
    name="micro", commands=(bind_plain_command(PUB, publish), bind_plain_command(ECHO, echo)), pushes=(MSG,)
)


async def serve(port: int) -> None:
    settings = load_settings(
        database_url=f"postgresql://{UNUSED_ADDRESS}/micro",
        redis_url=f"redis://{UNUSED_ADDRESS}",
        pool_min=0,  # or the start would connect
        pool_max=1,
        rate_limit_factor=NO_LIMIT,
        access_token_ttl_s=TOKEN_TTL_S,
        token_secrets=f"micro:{secrets.token_hex()}",
    )
    clock, metrics, registry, limiter = SystemClock(), Metrics(), Registry([FEATURE]), MemoryLimiter()
    async with AsyncExitStack() as stack:
        storage = await open_storage(settings, "micro", stack, uses_postgresql=False)
        accounts = build_accounts(settings, clock, storage.reserved_units, stack)
        local = LocalFanout(registry.namespaces)
        notices = PresenceNotices(storage.units, clock)
        presence = PresenceTracker(
            local.topic_registry,
            local.backplane,
            grace_s=settings.presence_grace_s,
            save_last_seen=notices.store_last_seen,
        )
        services = make_services(
            settings,
            clock=clock,
            tokens=accounts.tokens,
            passwords=accounts.passwords,
            feeds=PackedLists(storage.redis, prefix="feed"),
            topic_registry=local.topic_registry,
            presence=presence,
            limiter=limiter,
            metrics=metrics,
            cursor_seal=accounts.sealed_cursors,
            bodies=BodyCache(settings.body_cache_max_bytes),
        )
        counters = RedisLimiter(storage.redis)  # away: the node counts alone
        stack.push_async_callback(counters.stop)
        deferred_limiter = DeferredLimiter(counters, on_alone=_ignore)
        stack.push_async_callback(deferred_limiter.stop)
        dispatcher = Dispatcher(
            commands=CommandTable(registry, metrics.commands, rate_limit_factor=NO_LIMIT),
            unit_runner=UnitRunner(storage.units, services),
            limiter=limiter,
            deferred_limiter=deferred_limiter,
            authenticator=accounts.authenticator,
            publisher=Publisher(local.fanout, _no_facts),
        )
        policy = SocketPolicy(
            dispatcher=dispatcher,
            room_reader=RoomReader(registry, storage.units),
            authenticator=accounts.authenticator,
            membership=local.membership,
            limiter=limiter,
            token_watch=accounts.token_watch,
            presence=presence,
            watches=PresenceWatches(presence, local.backplane, notify=notices.notify_watchers),
            stalled_clients=StalledClients(),
            rate_limit_factor=NO_LIMIT,
        )
        await local.fanout.start()
        stack.push_async_callback(local.fanout.stop)
        token = accounts.tokens.access_token(PERSON_ID, 1).token
        await host(policy, local.hub, port, registry.namespaces, token=token)


def _no_facts() -> None:
    return None


def _ignore(_calls: int) -> None:
    return None


def main() -> None:
    run(serve(server_options(__doc__).parse_args().port))


if __name__ == "__main__":
    main()
