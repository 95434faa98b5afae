"""What an operation works on, as its command declares it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest_asyncio

from handlers.context import Call, Context, Outcome, RaisedFact
from handlers.feature import BoundCommand, Feature, bind_command, bind_plain_command
from realtime.contract.declarations import Command, Fact, Repeat, Unit
from realtime.contract.errors import CONFLICT, CommandError
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import NOTHING, Empty, Model, Nothing
from server.features import FEATURES
from tests.kit.device import Device
from tests.kit.server import Person, RunningServer, running_server, settings_for_tests

NAMESPACE = "/units"
CONNECTIONS = 3


class Thing(Model):
    number: int


TOLD = Fact(name="units.told", model=Thing, key="number")


def command(name: str, unit: Unit) -> Command[Empty, Nothing]:
    return Command(
        name=name,
        namespace=NAMESPACE,
        payload=Empty,
        ack=Nothing,
        effect="Works on something.",
        repeat=Repeat.ACTS,
        rate=RateLimit(1_000, 60),
        errors=(CONFLICT,),
        works_on=unit,
    )


async def rename(ctx: Context) -> None:
    await ctx.db.people.update_profile(
        user_id=ctx.user_id, display_name="Renamed", bio=None, profile=None, settings=None
    )


async def read(ctx: Context, cmd: Empty) -> Outcome[Nothing]:
    await ctx.db.people.read_own_profile(user_id=ctx.user_id)
    return Outcome(NOTHING)


async def rename_and_fail(ctx: Context, cmd: Empty) -> Outcome[Nothing]:
    await rename(ctx)
    raise CommandError(CONFLICT)


async def tell(call: Call, cmd: Empty) -> Outcome[Nothing]:
    return Outcome(NOTHING, facts=(RaisedFact(TOLD, Thing(number=1)),))


async def answer(call: Call, cmd: Empty) -> Outcome[Nothing]:
    return Outcome(NOTHING)


@dataclass
class Holding:
    """Holds connections until it is let go."""

    held: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def hold(self, ctx: Context, cmd: Empty) -> Outcome[Nothing]:
        self.held.release()
        await self.let_go.wait()
        return Outcome(NOTHING)

    def commands(self) -> tuple[BoundCommand, ...]:
        return (
            bind_command(command("units:hold", Unit.TRANSACTION), self.hold),
            bind_command(command("units:wait", Unit.STATEMENTS), self.hold),
            bind_command(command("units:read", Unit.STATEMENTS), read),
            bind_command(command("units:whole", Unit.TRANSACTION), rename_and_fail),
            bind_command(command("units:single", Unit.STATEMENTS), rename_and_fail),
            bind_command(command("units:tell", Unit.TRANSACTION), tell),
            bind_command(command("units:tell_singly", Unit.STATEMENTS), tell),
            bind_plain_command(command("units:none", Unit.NONE), answer),
            bind_plain_command(command("units:tell_alone", Unit.NONE), tell),
        )


@dataclass
class Lab:
    server: RunningServer
    holding: Holding
    me: Person
    device: Device

    async def name(self) -> str:
        _, told = await self.me.rest("GET", "/users/me")
        return str(told["data"]["user"]["display_name"])


_names = iter(range(1_000))


@pytest_asyncio.fixture
async def lab(database_url: str, redis_url: str) -> AsyncIterator[Lab]:
    holding = Holding()
    feature = Feature(name="units", commands=holding.commands(), facts=(TOLD,))
    settings = settings_for_tests(
        database_url, redis_url, pool_min=1, pool_max=CONNECTIONS, acquire_timeout_s=0.2, rate_limit_factor=100
    )
    async with running_server(settings, work=False, features=(*FEATURES, feature)) as server:
        me = await server.person(f"units{next(_names)}")
        yield Lab(server, holding, me, await me.device(namespaces=[NAMESPACE]))


async def test_what_works_without_sql_waits_for_no_connection(lab: Lab) -> None:
    directory = [await lab.me.device(namespaces=[NAMESPACE]) for _ in range(CONNECTIONS)]
    holds = [asyncio.create_task(holder.do(NAMESPACE, "units:hold")) for holder in directory]
    for _ in holds:
        await lab.holding.held.acquire()
    refused = await lab.device.call(NAMESPACE, "units:read")
    assert refused["error"]["code"] == "unavailable"
    await lab.device.do(NAMESPACE, "units:none")
    lab.holding.let_go.set()
    await asyncio.gather(*holds)
    await lab.device.do(NAMESPACE, "units:read")


async def test_what_waits_between_its_statements_holds_no_connection(lab: Lab) -> None:
    waiting = [
        asyncio.create_task(device.do(NAMESPACE, "units:wait"))
        for device in [await lab.me.device(namespaces=[NAMESPACE]) for _ in range(CONNECTIONS)]
    ]
    for _ in waiting:
        await lab.holding.held.acquire()
    await lab.device.do(NAMESPACE, "units:read")
    lab.holding.let_go.set()
    await asyncio.gather(*waiting)


async def test_a_transaction_is_rolled_back_by_a_refusal(lab: Lab) -> None:
    before = await lab.name()
    assert (await lab.device.call(NAMESPACE, "units:whole"))["error"]["code"] == "conflict"
    assert await lab.name() == before != "Renamed"


async def test_a_statement_by_itself_is_committed_at_once(lab: Lab) -> None:
    assert (await lab.device.call(NAMESPACE, "units:single"))["error"]["code"] == "conflict"
    assert await lab.name() == "Renamed"


async def test_facts_are_raised_in_a_transaction_only(lab: Lab) -> None:
    for name in ("units:tell_singly", "units:tell_alone"):
        assert (await lab.device.call(NAMESPACE, name))["error"]["code"] == "internal"
    await lab.device.do(NAMESPACE, "units:tell")
