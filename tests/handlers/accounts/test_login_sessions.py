import asyncio
from typing import Any

from tests.kit.server import Person, RunningServer

NEW_PASSWORD = "quite another passphrase"


async def log_in_again(server: RunningServer, person: Person, password: str | None = None) -> dict[str, Any]:
    payload = {"login": person.username, "password": password or person.password}
    status, answer = await server.rest("POST", "/auth/login", payload, headers={"User-Agent": "A tablet\u00a0"})
    assert status == 200, answer
    data: dict[str, Any] = answer["data"]
    return data


async def sessions(server: RunningServer, token: str, **query: str) -> dict[str, Any]:
    status, answer = await server.rest("GET", "/auth/sessions", token=token, query=query)
    assert status == 200, answer
    data: dict[str, Any] = answer["data"]
    return data


async def is_accepted(server: RunningServer, access_token: str) -> bool:
    status, _ = await server.rest("GET", "/users/me", token=access_token)
    return status == 200


async def test_sessions_are_listed_latest_first_with_the_current_one_marked(server: RunningServer) -> None:
    person = await server.person("cleo_1")
    await log_in_again(server, person)
    items = (await sessions(server, person.access_token))["items"]
    assert [item["current"] for item in items] == [False, True]
    assert int(items[0]["id"]) > int(items[1]["id"])
    assert items[0]["user_agent"].startswith("A tablet")
    assert items[0]["address"] == "127.0.0.1"
    assert items[0]["last_used_at_ms"] >= items[0]["created_at_ms"] > items[1]["created_at_ms"]


async def test_sessions_are_paged(server: RunningServer) -> None:
    person = await server.person("cleo_2")
    for _ in range(2):
        await log_in_again(server, person)
    first = await sessions(server, person.access_token, limit="2")
    second = await sessions(server, person.access_token, limit="2", before=first["next_cursor"])
    assert [len(first["items"]), len(second["items"])] == [2, 1]
    assert "next_cursor" not in second
    assert second["items"][0]["current"]


async def test_a_revoked_session_is_over_and_revoking_it_may_be_repeated(server: RunningServer) -> None:
    person = await server.person("cleo_3")
    other = await log_in_again(server, person)
    [ended] = [item["id"] for item in (await sessions(server, person.access_token))["items"] if not item["current"]]
    for _ in range(2):
        status, answer = await person.rest("DELETE", f"/auth/sessions/{ended}")
        assert (status, answer["data"]) == (200, {})
    assert not await is_accepted(server, other["access_token"])
    assert await is_accepted(server, person.access_token)
    assert len((await sessions(server, person.access_token))["items"]) == 1


async def test_sessions_of_other_users_are_hidden_and_cannot_be_revoked(server: RunningServer) -> None:
    person, stranger = await server.people("cleo_4", "cleo_5")
    [mine] = [item["id"] for item in (await sessions(server, person.access_token))["items"]]
    status, hidden = await stranger.rest("DELETE", f"/auth/sessions/{mine}")
    assert (status, hidden["error"]["code"]) == (404, "not_found")
    assert await stranger.rest("DELETE", "/auth/sessions/1") == (status, hidden)
    assert await is_accepted(server, person.access_token)
    assert len((await sessions(server, stranger.access_token))["items"]) == 1


async def test_a_new_password_ends_all_other_sessions(server: RunningServer) -> None:
    person = await server.person("cleo_6")
    other = await log_in_again(server, person)
    status, answer = await person.rest("PUT", "/auth/password", {"old": person.password, "new": NEW_PASSWORD})
    assert (status, answer["data"]) == (200, {})
    assert await is_accepted(server, person.access_token)
    assert not await is_accepted(server, other["access_token"])
    status, _ = await server.rest("POST", "/auth/login", {"login": "cleo_6", "password": person.password})
    assert status == 401
    await log_in_again(server, person, NEW_PASSWORD)
    status, _ = await server.rest("POST", "/auth/refresh", {"refresh_token": person.refresh_token})
    assert status == 200


async def test_a_wrong_old_password_changes_nothing(server: RunningServer) -> None:
    person = await server.person("cleo_7")
    other = await log_in_again(server, person)
    status, answer = await person.rest("PUT", "/auth/password", {"old": "not hers", "new": NEW_PASSWORD})
    assert (status, answer["error"]["code"]) == (403, "forbidden")
    assert list(answer["error"]["fields"]) == ["old"]
    assert await is_accepted(server, other["access_token"])
    await log_in_again(server, person)


async def test_of_two_simultaneous_changes_one_counts(server: RunningServer) -> None:
    person = await server.person("cleo_8")
    words = [f"{NEW_PASSWORD} {number}" for number in range(4)]
    answers = await asyncio.gather(
        *(person.rest("PUT", "/auth/password", {"old": person.password, "new": word}) for word in words)
    )
    good = [word for word, (status, _) in zip(words, answers, strict=True) if status == 200]
    assert sorted(status for status, _ in answers) == [200, 403, 403, 403]
    await log_in_again(server, person, good[0])


async def test_no_login_with_the_old_password_outlives_the_change(server: RunningServer) -> None:
    """Logins that race with the change are refused, or ended by it."""
    person = await server.person("cleo_9")
    old = {"login": "cleo_9", "password": person.password}
    racing = [asyncio.create_task(server.rest("POST", "/auth/login", old)) for _ in range(6)]
    changed, _ = await person.rest("PUT", "/auth/password", {"old": person.password, "new": NEW_PASSWORD})
    assert changed == 200
    for status, answer in await asyncio.gather(*racing):
        assert status == 401 or not await is_accepted(server, answer["data"]["access_token"])
    assert len((await sessions(server, person.access_token))["items"]) == 1


async def test_what_needs_a_person_is_refused_to_anybody_else(server: RunningServer) -> None:
    for method, path, payload in [
        ("GET", "/auth/sessions", None),
        ("DELETE", "/auth/sessions/1", None),
        ("PUT", "/auth/password", {"old": "one passphrase", "new": "another passphrase"}),
    ]:
        status, answer = await server.rest(method, path, payload)
        assert (status, answer["error"]["code"]) == (401, "unauthenticated")
