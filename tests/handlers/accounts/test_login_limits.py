"""What is counted of logins, changes of the password and registrations: never what was refused or was right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from handlers.accounts.contract import AUTH_REGISTER
from handlers.accounts.login_limits import PER_ACCOUNT, PER_ACCOUNT_AND_NETWORK, PER_NETWORK
from server.config import Settings
from tests.kit.server import PASSWORD, RunningServer, running_server, settings_for_tests
from tests.kit.services import Valkey

HOME, CAFE = "203.0.113.7", "198.51.100.9"
WRONG = "not it"
FACTOR = 0.3
OF_NETWORK = round(PER_NETWORK.count * FACTOR)
OF_ACCOUNT = round(PER_ACCOUNT_AND_NETWORK.count * FACTOR)


@pytest_asyncio.fixture
async def strict(database_url: str, redis_url: str) -> AsyncIterator[RunningServer]:
    """A server with the limits of production, whose clients say where they are."""
    async with running_server(limited(database_url, redis_url, 1)) as server:
        yield server


@pytest_asyncio.fixture
async def stricter(database_url: str, redis_url: str) -> AsyncIterator[RunningServer]:
    """With lower limits, so that few passwords need to be hashed."""
    async with running_server(limited(database_url, redis_url, FACTOR)) as server:
        yield server


def limited(database_url: str, redis_url: str, factor: float, **more: object) -> Settings:
    return settings_for_tests(database_url, redis_url, rate_limit_factor=factor, trusted_proxies="127.0.0.0/8", **more)


async def call(
    server: RunningServer, path: str, body: dict[str, Any], network: str = HOME, token: str | None = None
) -> tuple[int, str]:
    """Status and code of the answer, which is `ok` where there is no error."""
    method = "PUT" if path == "/auth/password" else "POST"
    status, answer = await server.rest(method, path, body, token=token, headers={"X-Forwarded-For": network})
    return status, "ok" if answer["ok"] else answer["error"]["code"]


async def log_in(server: RunningServer, name: str, password: str = PASSWORD, network: str = HOME) -> str:
    return (await call(server, "/auth/login", {"login": name, "password": password}, network))[1]


def account(name: str, **changes: object) -> dict[str, Any]:
    return {"username": name, "email": f"{name}@example.org", "password": PASSWORD} | changes


async def test_wrong_logins_from_one_network_lock_nobody_out_of_another(strict: RunningServer) -> None:
    """All at once, since an allowance grows back while passwords are being verified."""
    await strict.person("lim.ada")
    spellings = ["lim.ada@example.org", "LIM.ada@EXAMPLE.org"]
    guesses = PER_ACCOUNT_AND_NETWORK.count + 1
    told = await asyncio.gather(*(log_in(strict, spellings[n % 2], WRONG, CAFE) for n in range(guesses)))
    assert sorted(told) == ["rate_limited"] + ["unauthenticated"] * PER_ACCOUNT_AND_NETWORK.count
    assert await log_in(strict, "lim.ada@example.org", PASSWORD, CAFE) == "rate_limited"
    assert await log_in(strict, "lim.ada@example.org", PASSWORD, HOME) == "ok"


async def test_right_logins_are_no_failures(stricter: RunningServer) -> None:
    await stricter.person("lim.right")
    told = await asyncio.gather(*(log_in(stricter, "lim.right") for _ in range(OF_NETWORK + 1)))
    assert set(told) == {"ok"}
    assert await log_in(stricter, "lim.right", WRONG) == "unauthenticated"


async def test_an_ipv6_subscriber_has_one_allowance_over_all_accounts(stricter: RunningServer) -> None:
    guesses = (log_in(stricter, f"lim.nobody{n}", WRONG, f"2001:db8::{n:x}") for n in range(OF_NETWORK + 1))
    assert sorted(await asyncio.gather(*guesses)) == ["rate_limited"] + ["unauthenticated"] * OF_NETWORK


async def test_above_the_bound_of_an_account_only_known_networks_pass(database_url: str, redis_url: str) -> None:
    async with running_server(limited(database_url, redis_url, 1)) as server:
        at_home, in_the_cafe = {"X-Forwarded-For": HOME}, {"X-Forwarded-For": CAFE}
        _, answer = await server.rest("POST", "/auth/register", account("lim.owner"), headers=at_home)
        used = {"refresh_token": answer["data"]["refresh_token"]}
        assert (await server.rest("POST", "/auth/refresh", used, headers=in_the_cafe))[0] == 200
    assert PER_ACCOUNT.count / PER_ACCOUNT.per_s > 4 * PER_ACCOUNT_AND_NETWORK.count / PER_ACCOUNT_AND_NETWORK.per_s
    async with running_server(limited(database_url, redis_url, 2 / PER_ACCOUNT.count)) as server:
        strangers = [await log_in(server, "lim.owner", WRONG, f"192.0.2.{n}") for n in range(3)]
        assert strangers == ["unauthenticated", "unauthenticated", "rate_limited"]
        unknown = [await log_in(server, "lim.unknown", WRONG, f"192.0.2.{n}") for n in range(10, 13)]
        assert unknown == strangers, "the limit does not tell which accounts exist"
        assert await log_in(server, "lim.owner", PASSWORD, "192.0.2.3") == "rate_limited"
        assert await log_in(server, "lim.owner", PASSWORD, HOME) == "ok"
        assert await log_in(server, "lim.owner", PASSWORD, CAFE) == "ok"


async def test_the_old_password_is_guessed_no_more_often_than_at_login_and_refusals_cost_nothing(
    stricter: RunningServer,
) -> None:
    person = await stricter.person("lim.fay")

    async def change(old: str, new: str) -> tuple[int, str]:
        return await call(stricter, "/auth/password", {"old": old, "new": new}, token=person.access_token)

    assert [await change(PASSWORD, "short") for _ in range(OF_ACCOUNT + 1)] == [(422, "invalid_payload")] * 4
    words = (PASSWORD, "one passphrase", PASSWORD, "one passphrase", PASSWORD)
    assert [await change(old, new) for old, new in pairwise(words)] == [(200, "ok")] * (OF_ACCOUNT + 1)
    told = await asyncio.gather(*(change(WRONG, "another passphrase") for _ in range(OF_ACCOUNT + 1)))
    assert sorted(told) == [(403, "forbidden")] * OF_ACCOUNT + [(429, "rate_limited")]


async def test_refused_registrations_cost_nothing_and_a_classroom_registers(strict: RunningServer) -> None:
    await strict.person("lim.taken")
    for refused in (account("lim.new", password="short"), {}, account("lim.new", email="no address")):
        for _ in range(10):
            assert await call(strict, "/auth/register", refused) == (422, "invalid_payload")
    for _ in range(70):
        assert await call(strict, "/auth/register", account("lim.taken")) == (409, "conflict")
    told = await asyncio.gather(*(call(strict, "/auth/register", account(f"lim.pupil{n}")) for n in range(40)))
    assert told == [(201, "ok")] * 40


async def test_refused_registrations_over_a_socket_cost_nothing(strict: RunningServer) -> None:
    device = await strict.device(None, namespaces=("/auth",))
    for _ in range(10):
        answer = await device.call("/auth", "auth:register", account("lim.socket", password="short"))
        assert answer["error"]["code"] == "invalid_payload"
    assert (await device.do("/auth", "auth:register", account("lim.socket")))["user"]["username"] == "lim.socket"


async def test_all_taken_names_are_told_before_the_password_is_hashed(
    strict: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await strict.person("lim.both")
    monkeypatch.setattr("argon2.PasswordHasher.hash", None)
    status, answer = await strict.rest("POST", "/auth/register", account("lim.both"))
    assert (status, answer["error"]["fields"]) == (409, {"username": "is taken", "email": "is taken"})


async def test_successful_registrations_of_a_network_have_a_setting_and_conflicts_do_not_count(
    database_url: str, redis_url: str
) -> None:
    async with running_server(limited(database_url, redis_url, 1, registrations_per_hour=2)) as server:
        same = await asyncio.gather(*(call(server, "/auth/register", account("lim.race")) for _ in range(2)))
        # Both were counted before one of them lost the race, unless it found the name taken: that costs nothing either.
        assert sorted(same) == [(201, "ok"), (409, "conflict")]
        assert await call(server, "/auth/register", account("lim.second")) == (201, "ok")
        assert await call(server, "/auth/register", account("lim.third")) == (429, "rate_limited")
        assert await call(server, "/auth/register", account("lim.third"), CAFE) == (201, "ok")


async def test_the_limits_hold_on_each_node_while_redis_is_away(
    database_url: str, redis_url: str, valkey: Valkey
) -> None:
    async with running_server(limited(database_url, redis_url, FACTOR, registrations_per_hour=3)) as server:
        await asyncio.to_thread(valkey.stop)
        assert await call(server, "/auth/register", account("lim.away")) == (201, "ok")
        assert await call(server, "/auth/register", account("lim.away2")) == (429, "rate_limited")
        for password, code in ((PASSWORD, "ok"), (WRONG, "unauthenticated")):
            assert [await log_in(server, "lim.away", password) for _ in range(OF_ACCOUNT)] == [code] * OF_ACCOUNT
        assert await log_in(server, "lim.away", WRONG) == "rate_limited"


async def test_a_registration_that_cannot_be_stored_does_not_count(database_url: str, redis_url: str) -> None:
    settings = limited(database_url, redis_url, 1, registrations_per_hour=1, statement_timeout_ms=100)
    connection = await asyncpg.connect(database_url)
    async with running_server(settings) as server:
        async with connection.transaction():
            await connection.execute("LOCK TABLE user_networks")
            assert await call(server, "/auth/register", account("lim.late")) == (503, "unavailable")
        assert await call(server, "/auth/register", account("lim.late")) == (201, "ok")
    await connection.close()


async def test_attempts_of_a_network_always_count_and_a_login_is_no_way_around_them(strict: RunningServer) -> None:
    """Whoever has registered some accounts could else register with each of them as many again."""
    people = await strict.people("lim.gus_1", "lim.gus_2")
    limit = AUTH_REGISTER.rate.count
    assert (limit, AUTH_REGISTER.rate.per_s) == (300, 3_600)
    tokens = [people[n % 2].access_token for n in range(limit + 1)]
    told = [(await call(strict, "/auth/register", {}, token=token))[1] for token in tokens]
    assert told == ["invalid_payload"] * limit + ["rate_limited"]
