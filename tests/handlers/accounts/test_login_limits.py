import asyncio

from handlers.accounts.contract import AUTH_REGISTER
from handlers.accounts.login_limits import PER_ACCOUNT, PER_ADDRESS
from tests.kit.server import RunningServer, running_server, settings_for_tests


async def attempt(server: RunningServer, name: str, address: str | None = None) -> tuple[str, int]:
    """Logs in with a wrong password; the code of the answer, and when to come back."""
    headers = {} if address is None else {"X-Forwarded-For": address}
    _, answer = await server.rest("POST", "/auth/login", {"login": name, "password": "not it"}, headers=headers)
    return answer["error"]["code"], answer["error"].get("retry_after_ms", 0)


async def test_the_default_limits_of_logins(database_url: str, redis_url: str) -> None:
    """Per account over all spellings and addresses; per address over all accounts. Loopback is not exempt.

    All at once, since an allowance grows back while passwords are being checked.
    """
    settings = settings_for_tests(
        database_url, redis_url, rate_limit_factor=1, trusted_proxies="127.0.0.0/8", password_hash_waiting_max=100
    )
    assert (PER_ACCOUNT.count, PER_ACCOUNT.per_s, PER_ADDRESS.count, PER_ADDRESS.per_s) == (10, 300, 50, 300)
    async with running_server(settings) as server:
        spellings = ["Ada@example.org", "ada@EXAMPLE.org"]
        told = await asyncio.gather(*(attempt(server, spellings[n % 2], f"203.0.113.{n}") for n in range(11)))
        assert sorted(code for code, _ in told) == ["rate_limited"] + ["unauthenticated"] * 10
        assert 0 < dict(told)["rate_limited"] <= 30_000

        told = await asyncio.gather(*(attempt(server, f"somebody{n}") for n in range(51)))
        assert sorted(code for code, _ in told) == ["rate_limited"] + ["unauthenticated"] * 50
        assert (await attempt(server, "somebody", "203.0.113.200"))[0] == "unauthenticated"


async def test_an_ipv6_subscriber_has_one_allowance(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(
        database_url, redis_url, rate_limit_factor=1, trusted_proxies="127.0.0.0/8", password_hash_waiting_max=100
    )
    async with running_server(settings) as server:
        told = await asyncio.gather(*(attempt(server, f"somebody{n}", f"2001:db8::{n:x}") for n in range(51)))
        assert sorted(code for code, _ in told) == ["rate_limited"] + ["unauthenticated"] * 50


async def test_a_limit_that_is_multiplied(database_url: str, redis_url: str) -> None:
    async with running_server(settings_for_tests(database_url, redis_url, rate_limit_factor=0.1)) as server:
        assert [(await attempt(server, "ada"))[0] for _ in range(2)] == ["unauthenticated", "rate_limited"]


async def test_the_old_password_cannot_be_guessed_more_often_than_at_login(
    server: RunningServer, database_url: str, redis_url: str
) -> None:
    person = await server.person("fay")
    guess = {"old": "not hers", "new": "quite another passphrase"}
    async with running_server(settings_for_tests(database_url, redis_url, rate_limit_factor=1)) as strict:
        rest = (strict.rest("PUT", "/auth/password", guess, token=person.access_token) for _ in range(11))
        answers = await asyncio.gather(*rest)
    assert sorted(answer["error"]["code"] for _, answer in answers) == ["forbidden"] * 10 + ["rate_limited"]


async def test_a_login_is_no_way_around_the_limit_of_an_address(
    server: RunningServer, database_url: str, redis_url: str
) -> None:
    """Whoever has registered some accounts could else register with each of them as many again."""
    people = await server.people("gus_1", "gus_2")
    limit = AUTH_REGISTER.rate.count
    async with running_server(settings_for_tests(database_url, redis_url, rate_limit_factor=1)) as strict:
        tokens = [people[n % 2].access_token for n in range(limit + 1)]
        answers = [await strict.rest("POST", "/auth/register", {}, token=token) for token in tokens]
    codes = [answer["error"]["code"] for _, answer in answers]
    assert codes == ["invalid_payload"] * limit + ["rate_limited"]
