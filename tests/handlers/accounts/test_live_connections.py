"""Tokens and login sessions on sockets that stay open."""

from typing import Any

import pytest
import socketio

from tests.kit.server import Person, RunningServer, running_server, settings_for_tests
from tests.kit.side_by_side import side_by_side

SHORT_LIFE_S = 4


async def new_access_token(server: RunningServer, person: Person) -> str:
    _, answer = await server.rest("POST", "/auth/refresh", {"refresh_token": person.refresh_token})
    person.refresh_token = answer["data"]["refresh_token"]
    token: str = answer["data"]["access_token"]
    return token


async def current_session(person: Person) -> str:
    _, answer = await person.rest("GET", "/auth/sessions")
    [session] = [item["id"] for item in answer["data"]["items"] if item["current"]]
    assert isinstance(session, str)
    return session


async def test_tokens_that_expire(database_url: str, redis_url: str, subtests: pytest.Subtests) -> None:
    async with running_server(settings_for_tests(database_url, redis_url, access_token_ttl_s=SHORT_LIFE_S)) as server:
        await side_by_side(
            subtests,
            an_expiring_token_is_announced_in_every_namespace_and_ends_the_connection(server, "websocket"),
            an_expiring_token_is_announced_in_every_namespace_and_ends_the_connection(server, "polling"),
            a_connection_lives_on_as_long_as_it_is_renewed_in_any_namespace(server),
        )


async def an_expiring_token_is_announced_in_every_namespace_and_ends_the_connection(
    server: RunningServer, transport: str
) -> None:
    person = await server.person(f"dora_{transport}")
    device = await person.device(transports=(transport,), namespaces=("/users", "/chat"))
    for _ in range(2):
        warning = await device.expect_push("token:expiring")
        assert 0 < warning["expires_in_s"] <= SHORT_LIFE_S
    assert {push.namespace for push in device.heard} == {"/users", "/chat"}
    await device.expect_closed()


async def a_connection_lives_on_as_long_as_it_is_renewed_in_any_namespace(server: RunningServer) -> None:
    namespaces = ("/users", "/chat", "/auth")
    person = await server.person("dora")
    device = await person.device(namespaces=namespaces)
    for namespace in ("/chat", "/auth"):
        for _ in namespaces:
            await device.expect_push("token:expiring")
        data = await device.do(namespace, "auth:renew", {"token": await new_access_token(server, person)})
        assert 0 < data["expires_in_s"] <= SHORT_LIFE_S
    await device.expect_push("token:expiring")
    status, answer = await person.rest("GET", "/users/me")
    assert (status, answer["error"]["code"]) == (401, "token_expired"), "the first token is still good"
    await device.expect_closed()


async def test_a_token_of_another_user_or_login_session_renews_nothing(server: RunningServer) -> None:
    person, stranger = await server.people("dora_1", "dora_2")
    _, other = await server.rest("POST", "/auth/login", {"login": "dora_1", "password": person.password})
    for token, code in [
        (stranger.access_token, "forbidden"),
        (other["data"]["access_token"], "forbidden"),
        ("no token", "unauthenticated"),
    ]:
        answer = await person.call("/users", "auth:renew", {"token": token})
        assert answer["error"]["code"] == code
    await person.do("/users", "user:me")


async def test_an_anonymous_connection_cannot_be_renewed(server: RunningServer) -> None:
    person = await server.person("dora_3")
    anonymous = await server.device(None, namespaces=("/auth",))
    answer = await anonymous.call("/auth", "auth:renew", {"token": person.access_token})
    assert answer["error"]["code"] == "unauthenticated"


async def test_a_revoked_session_is_announced_in_every_namespace_and_its_sockets_are_closed(
    server: RunningServer,
) -> None:
    person = await server.person("dora_4")
    _, other = await server.rest("POST", "/auth/login", {"login": "dora_4", "password": person.password})
    namespaces = ("/users", "/chat")
    revoked = [await person.device(namespaces=namespaces), await person.device(transports=("polling",))]
    kept = await server.device(other["data"]["access_token"], namespaces=namespaces)
    await kept.do("/users", "user:me")
    status, _ = await server.rest(
        "DELETE", f"/auth/sessions/{await current_session(person)}", token=other["data"]["access_token"]
    )
    assert status == 200
    for device in revoked:
        assert await device.expect_push("session:revoked") == {"code": "unauthenticated"}
        await device.expect_closed()
    assert {push.namespace for push in revoked[0].heard if push.name == "session:revoked"} == set(namespaces)
    await kept.do("/users", "user:me")
    with pytest.raises(socketio.exceptions.ConnectionError):
        await person.device()


async def test_a_revocation_reaches_the_other_node_while_redis_is_away(database_url: str, valkey: Any) -> None:
    settings = settings_for_tests(database_url, valkey.url)
    async with running_server(settings) as here, running_server(settings) as there:
        person = await here.person("dora_5")
        device = await there.device(person.access_token, namespaces=("/users",))
        valkey.stop()
        status, _ = await here.rest("POST", "/auth/logout", {"refresh_token": person.refresh_token})
        assert status == 200
        await device.expect_closed()
        status, answer = await there.rest("GET", "/users/me", token=person.access_token)
        assert (status, answer["error"]["code"]) == (401, "unauthenticated")
