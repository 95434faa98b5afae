import asyncio
from typing import Any

import argon2
import asyncpg
import bcrypt
import pytest

from tests.kit.server import PASSWORD, RunningServer

ADA = {"username": "Ada", "password": PASSWORD, "email": "ada@example.org"}


async def register(server: RunningServer, **changes: object) -> tuple[int, dict[str, Any]]:
    payload = {name: value for name, value in (ADA | changes).items() if value is not None}
    return await server.rest("POST", "/auth/register", payload)


async def login(server: RunningServer, name: str, password: str = PASSWORD) -> tuple[int, dict[str, Any]]:
    return await server.rest("POST", "/auth/login", {"login": name, "password": password})


async def test_registering_makes_an_account_and_logs_it_in(server: RunningServer) -> None:
    status, answer = await register(server, username="Ada_1", email="ada1@example.org")
    assert status == 201
    assert answer["data"]["user"]["username"] == answer["data"]["user"]["display_name"] == "Ada_1"
    assert (answer["data"]["token_type"], answer["data"]["expires_in_s"]) == ("Bearer", 900)
    status, me = await server.rest("GET", "/users/me", token=answer["data"]["access_token"])
    assert (status, me["data"]["user"]["id"]) == (200, answer["data"]["user"]["id"])


async def test_registering_by_phone_and_with_a_display_name(server: RunningServer) -> None:
    status, answer = await register(
        server, username="ada_2", email=None, phone="+1 415 555-2671", display_name="Ada Lovelace"
    )
    assert (status, answer["data"]["user"]["display_name"]) == (201, "Ada Lovelace")
    for name in ("ada_2", "ADA_2", "+14155552671", "+1 (415) 555-2671"):
        status, answer = await login(server, name)
        assert (status, answer["data"]["user"]["username"]) == (200, "ada_2")


async def test_login_by_email_in_any_case_and_over_the_socket(server: RunningServer) -> None:
    person = await server.person("ada_3")
    status, answer = await login(server, "ADA_3@EXAMPLE.org")
    assert (status, answer["data"]["user"]["id"]) == (200, person.id)
    anonymous = await server.device(None, namespaces=("/auth",))
    data = await anonymous.do("/auth", "auth:login", {"login": "ada_3", "password": PASSWORD})
    assert data["user"]["id"] == person.id
    await server.device(data["access_token"])


@pytest.mark.parametrize(
    ("registered", "others"),
    [
        ("ΝΙΚΟΣ@example.com", ["νικος@example.com", "νικοσ@EXAMPLE.com", "Νικος@example.com"]),
        ("İrem@example.com", ["i\u0307rem@example.com", "İREM@example.com"]),
        ("Jürgen@MÜNCHEN.de", ["JU\u0308RGEN@münchen.de", "jürgen@xn--mnchen-3ya.de"]),
    ],
)
async def test_an_address_is_one_address_in_any_case_also_beyond_ascii(
    server: RunningServer, registered: str, others: list[str]
) -> None:
    name = f"case_{len(registered)}_{len(others)}"
    assert (await register(server, username=name, email=registered))[0] == 201
    for typed in (registered, *others):
        status, answer = await login(server, typed)
        assert (status, answer.get("data", {}).get("user", {}).get("username")) == (200, name), typed
        status, answer = await register(server, username="other_name", email=typed)
        assert (status, list(answer["error"].get("fields", {}))) == (409, ["email"]), typed


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"username": "TAKEN"}, "username"),
        ({"username": "other", "email": "Taken@Example.org"}, "email"),
        ({"username": "other", "email": None, "phone": "+1 415 555 2672"}, "phone"),
    ],
)
async def test_a_conflict_names_what_is_taken(server: RunningServer, changes: dict[str, str], field: str) -> None:
    await register(server, username="taken", email="taken@example.org")
    await register(server, username="caller", email=None, phone="+14155552672")
    status, answer = await register(server, **changes)
    assert (status, answer["error"]["code"]) == (409, "conflict")
    assert list(answer["error"]["fields"]) == [field]


async def test_of_many_registrations_of_one_name_at_once_one_succeeds(server: RunningServer) -> None:
    answers = await asyncio.gather(
        *(register(server, username="wanted", email=f"wanted{number}@example.org") for number in range(8))
    )
    assert sorted(status for status, _ in answers) == [201] + [409] * 7


@pytest.mark.parametrize(
    "changes",
    [
        {"email": None},
        {"phone": "+14155552673"},
        {"username": "admin"},
        {"password": "short"},
        {"password": "password1"},
        {"password": "x" * 257},
        {"email": "ada@"},
        {"role": "admin"},
    ],
)
async def test_an_invalid_registration_creates_no_user(server: RunningServer, changes: dict[str, Any]) -> None:
    status, answer = await register(server, **({"username": "nobody_yet", "email": "nobody@example.org"} | changes))
    assert (status, answer["error"]["code"]) == (422, "invalid_payload")
    assert PASSWORD not in str(answer)
    status, _ = await login(server, "nobody_yet")
    assert status == 401


async def test_an_unknown_name_and_a_wrong_password_have_the_same_answer_and_cost(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.person("ada_4")
    verified: list[argon2.Parameters] = []
    original = argon2.PasswordHasher.verify

    def verify(self: argon2.PasswordHasher, stored: str, password: bytes) -> bool:
        verified.append(argon2.extract_parameters(stored))
        return original(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", verify)
    wrong = await login(server, "ada_4", "not her password")
    unknown = await login(server, "nobody", "not her password")
    no_such_email = await login(server, "nobody@example.org", "not her password")
    assert wrong == unknown == no_such_email
    assert wrong[0] == 401
    assert len(verified) == 3
    assert verified[0] == verified[1] == verified[2]


async def test_a_bcrypt_hash_is_upgraded_by_the_login(server: RunningServer, database_url: str) -> None:
    person = await server.person("ada_5")
    connection = await asyncpg.connect(database_url)
    try:
        old = bcrypt.hashpw(b"from another system", bcrypt.gensalt(4)).decode()
        await connection.execute("UPDATE users SET password_hash = $1 WHERE id = $2", old, int(person.id))
        assert (await login(server, "ada_5", "from another"))[0] == 401
        assert (await login(server, "ada_5", "from another system"))[0] == 200
        stored = await connection.fetchval("SELECT password_hash FROM users WHERE id = $1", int(person.id))
    finally:
        await connection.close()
    assert stored.startswith("$argon2id$")
    assert (await login(server, "ada_5", "from another system"))[0] == 200


async def test_an_outdated_token_does_not_keep_anybody_from_logging_in(server: RunningServer) -> None:
    await server.person("ada_6")
    payload = {"login": "ada_6", "password": PASSWORD}
    status, _ = await server.rest("POST", "/auth/jwt/login", payload, token="outdated")
    assert status == 200
