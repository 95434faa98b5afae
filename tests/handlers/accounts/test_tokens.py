import asyncio
from typing import Any

import asyncpg
import pytest

from tests.kit.server import Person, RunningServer, running_server, settings_for_tests


async def refresh(server: RunningServer, token: str) -> tuple[int, dict[str, Any]]:
    return await server.rest("POST", "/auth/refresh", {"refresh_token": token})


async def refreshed(server: RunningServer, token: str) -> dict[str, Any]:
    status, answer = await refresh(server, token)
    assert status == 200, answer
    data: dict[str, Any] = answer["data"]
    return data


async def refused(server: RunningServer, token: str) -> bool:
    status, answer = await refresh(server, token)
    return (status, answer.get("error", {}).get("code")) == (401, "unauthenticated")


async def is_accepted(server: RunningServer, access_token: str) -> bool:
    status, _ = await server.rest("GET", "/users/me", token=access_token)
    return status == 200


async def count_tokens(database_url: str, person: Person) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        query = "SELECT count(*) FROM refresh_tokens t JOIN login_sessions s ON s.id = t.session_id WHERE user_id = $1"
        count: int = await connection.fetchval(query, int(person.id))
    finally:
        await connection.close()
    return count


async def test_a_refresh_token_brings_new_tokens_of_the_same_session(server: RunningServer) -> None:
    person = await server.person("bea_1")
    data = await refreshed(server, person.refresh_token)
    assert data["user"]["id"] == person.id
    assert data["refresh_token"] != person.refresh_token
    assert await is_accepted(server, data["access_token"])
    status, answer = await server.rest("GET", "/auth/sessions", token=data["access_token"])
    assert (status, len(answer["data"]["items"])) == (200, 1)


async def test_simultaneous_refreshes_get_one_successor(server: RunningServer, database_url: str) -> None:
    person = await server.person("bea_2")
    answers = await asyncio.gather(*(refreshed(server, person.refresh_token) for _ in range(8)))
    assert len({data["refresh_token"] for data in answers}) == 1
    assert await count_tokens(database_url, person) == 2
    await refreshed(server, answers[0]["refresh_token"])


async def test_a_lost_answer_is_repeated(server: RunningServer) -> None:
    person = await server.person("bea_3")
    lost = await refreshed(server, person.refresh_token)
    again = await refreshed(server, person.refresh_token)
    assert again["refresh_token"] == lost["refresh_token"]
    assert await is_accepted(server, again["access_token"])


async def test_an_old_token_ends_the_session_once_its_successor_was_used(server: RunningServer) -> None:
    person = await server.person("bea_4")
    second = await refreshed(server, person.refresh_token)
    third = await refreshed(server, second["refresh_token"])
    assert await refused(server, person.refresh_token)
    assert await refused(server, third["refresh_token"])
    assert not await is_accepted(server, third["access_token"])
    assert not await is_accepted(server, person.access_token)


async def test_an_old_token_ends_the_session_after_the_grace(database_url: str, redis_url: str) -> None:
    async with running_server(settings_for_tests(database_url, redis_url, refresh_grace_s=0)) as server:
        person = await server.person("bea_5")
        second = await refreshed(server, person.refresh_token)
        assert await refused(server, person.refresh_token)
        assert await refused(server, second["refresh_token"])
        assert not await is_accepted(server, second["access_token"])


async def test_theft_ends_only_the_session_of_the_token(server: RunningServer) -> None:
    person = await server.person("bea_6")
    payload = {"login": "bea_6", "password": person.password}
    _, other = await server.rest("POST", "/auth/login", payload)
    second = await refreshed(server, person.refresh_token)
    await refreshed(server, second["refresh_token"])
    assert await refused(server, person.refresh_token)
    assert await is_accepted(server, other["data"]["access_token"])
    await refreshed(server, other["data"]["refresh_token"])


@pytest.mark.parametrize("token", ["unknown", "x" * 200])
async def test_an_unknown_refresh_token_is_refused(server: RunningServer, token: str) -> None:
    assert await refused(server, token)
    status, answer = await server.rest("POST", "/auth/logout", {"refresh_token": token})
    assert (status, answer["error"]["code"]) == (401, "unauthenticated")


async def test_an_expired_refresh_token_is_refused(server: RunningServer, database_url: str) -> None:
    person = await server.person("bea_7")
    connection = await asyncpg.connect(database_url)
    try:
        theirs = "SELECT id FROM login_sessions WHERE user_id = $1"
        query = f"UPDATE refresh_tokens SET expires_at = now() WHERE session_id IN ({theirs})"
        await connection.execute(query, int(person.id))
    finally:
        await connection.close()
    assert await refused(server, person.refresh_token)


async def test_tokens_from_before_a_change_of_keys_stay_valid(database_url: str, redis_url: str) -> None:
    old, new = "old:" + "o" * 40, "new:" + "n" * 40
    async with running_server(settings_for_tests(database_url, redis_url, token_secrets=old)) as server:
        person = await server.person("bea_8")
        lost = await refreshed(server, person.refresh_token)
    async with running_server(settings_for_tests(database_url, redis_url, token_secrets=f"{new},{old}")) as server:
        assert await is_accepted(server, person.access_token)
        assert (await refreshed(server, person.refresh_token))["refresh_token"] == lost["refresh_token"]


async def test_logging_out_ends_the_session_and_may_be_repeated(server: RunningServer) -> None:
    person = await server.person("bea_9")
    payload = {"login": "bea_9", "password": person.password}
    _, other = await server.rest("POST", "/auth/login", payload)
    for _ in range(2):
        status, answer = await server.rest("POST", "/auth/logout", {"refresh_token": person.refresh_token})
        assert (status, answer["data"]) == (200, {})
    assert not await is_accepted(server, person.access_token)
    assert await refused(server, person.refresh_token)
    assert await is_accepted(server, other["data"]["access_token"])


async def test_logging_out_everywhere_ends_all_sessions(server: RunningServer) -> None:
    person, bystander = await server.people("bea_10", "bea_11")
    payload = {"login": "bea_10", "password": person.password}
    _, other = await server.rest("POST", "/auth/login", payload)
    gone = {"refresh_token": person.refresh_token, "everywhere": True}
    status, _ = await server.rest("POST", "/auth/logout", gone)
    assert status == 200
    assert not await is_accepted(server, person.access_token)
    assert not await is_accepted(server, other["data"]["access_token"])
    assert await refused(server, other["data"]["refresh_token"])
    assert await is_accepted(server, bystander.access_token)


async def test_a_token_of_an_ended_session_cannot_log_out_the_others(server: RunningServer) -> None:
    person = await server.person("bea_12")
    await server.rest("POST", "/auth/logout", {"refresh_token": person.refresh_token})
    _, other = await server.rest("POST", "/auth/login", {"login": "bea_12", "password": person.password})
    stolen = {"refresh_token": person.refresh_token, "everywhere": True}
    await server.rest("POST", "/auth/logout", stolen)
    assert await is_accepted(server, other["data"]["access_token"])
