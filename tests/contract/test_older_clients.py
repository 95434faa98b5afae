"""The calls of older clients, below `/v1` and `/api/v1`: their paths, their names for fields, their login form."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from tests.kit.server import PASSWORD, Person, RunningServer

_numbers = itertools.count(1)
_prefixes = itertools.cycle(("/v1", "/api/v1"))


class OlderClient:
    """Calls below the two prefixes in turn, as one person."""

    def __init__(self, server: RunningServer, token: str | None) -> None:
        self._http = server.http
        self._url = server.url
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    async def ask(
        self, method: str, path: str, body: object = None, query: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        data = body if isinstance(body, aiohttp.FormData) or body is None else orjson.dumps(body)
        url = self._url + next(_prefixes) + path
        async with self._http.request(method, url, data=data, params=query, headers=self._headers) as response:
            return response.status, orjson.loads(await response.read())

    async def do(self, method: str, path: str, body: object = None, **query: str) -> dict[str, Any]:
        status, answer = await self.ask(method, path, body, query)
        assert status in (200, 201), answer
        data: dict[str, Any] = answer["data"]
        return data


async def older_clients(server: RunningServer) -> tuple[Person, Person, OlderClient]:
    """Two people, and the older client of the first."""
    place = next(_numbers)
    me, friend = await server.people(f"old.me.{place}", f"old.friend.{place}")
    return me, friend, OlderClient(server, me.access_token)


async def test_older_clients_log_in_with_the_form_of_oauth2(server: RunningServer) -> None:
    me, _, _ = await older_clients(server)
    anonymous = OlderClient(server, None)
    login = {"username": me.username, "password": PASSWORD}
    oauth2 = {**login, "grant_type": "password", "scope": "", "client_id": "", "client_secret": ""}
    multipart = aiohttp.FormData(oauth2, default_to_multipart=True)
    for body in (login, aiohttp.FormData(login), aiohttp.FormData(oauth2), multipart):
        status, answer = await anonymous.ask("POST", "/auth/jwt/login", body)
        assert (status, answer["ok"], answer["token_type"]) == (200, True, "Bearer"), answer
        assert answer["access_token"] == answer["data"]["access_token"]
        client = OlderClient(server, answer["access_token"])
        assert (await client.do("GET", "/users/me"))["user"]["id"] == me.id

    wrong = aiohttp.FormData({**oauth2, "password": "not it"})
    status, answer = await anonymous.ask("POST", "/auth/jwt/login", wrong)
    assert (status, answer["error"]["code"]) == (401, "unauthenticated") and "access_token" not in answer
    for odd in ([*oauth2.items(), ("remember", "1")], [*login.items(), ("username", "b")]):
        status, answer = await anonymous.ask("POST", "/auth/jwt/login", aiohttp.FormData(odd))
        assert (status, answer["error"]["code"]) == (422, "invalid_payload")
    status, answer = await anonymous.ask("POST", "/auth/login", aiohttp.FormData({"login": me.username}))
    assert (status, answer["error"]["code"]) == (415, "invalid_payload"), "only their path takes forms"
    status, answer = await anonymous.ask("POST", "/auth/login", login)
    assert (status, answer["error"]["code"]) == (422, "invalid_payload"), "only their path has their names"


async def test_older_clients_register_and_change_their_profile(server: RunningServer) -> None:
    name = f"old.new.{next(_numbers)}"
    body = {
        "username": name,
        "password": PASSWORD,
        "email": f"{name}@example.org",
        "profile_info": {"city": "Ulm"},
    }
    made = await OlderClient(server, None).do("POST", "/auth/register", body)
    client, my_id = OlderClient(server, made["access_token"]), made["user"]["id"]
    assert (await client.do("GET", f"/users/{my_id}"))["profile"] == {"city": "Ulm"}
    changed = {"profile_info": {"city": "Bonn"}, "user_id": my_id}
    for path in (f"/users/{my_id}", "/users/me"):
        assert (await client.do("PUT", path, changed))["profile"] == {"city": "Bonn"}
    other = await server.person(f"{name}.other")
    status, answer = await client.ask("PUT", f"/users/{other.id}", {"profile_info": {}})
    assert (status, answer["error"]["code"]) == (403, "forbidden")


async def test_older_clients_post_and_comment(server: RunningServer) -> None:
    me, friend, client = await older_clients(server)
    posts = [
        await client.do("POST", "/posts", body)
        for body in (
            {"user_id": me.id, "content": "Hello", "content_type": "text"},
            {"user_id": me.id, "caption": "Hello", "media_type": "text"},
        )
    ]
    assert [made["post"]["text"] for made in posts] == ["Hello", "Hello"]
    status, answer = await client.ask("POST", "/posts", {"content": "a", "caption": "b"})
    assert (status, answer["error"]["code"]) == (422, "invalid_payload")

    path = f"/posts/{posts[0]['post']['id']}"
    assert (await client.do("PUT", path, {"content": "Changed", "user_id": me.id}))["post"]["text"] == "Changed"
    assert (await client.do("PUT", path, {"caption": "Again"}))["post"]["text"] == "Again"
    assert (await client.do("GET", path, user_id=me.id))["post"]["text"] == "Again"
    comment = (await client.do("POST", f"{path}/comments", {"content": "First", "user_id": me.id}))["comment"]
    reply = {"content": "Second", "parent_comment_id": comment["id"]}
    assert (await client.do("POST", f"{path}/comments", reply))["comment"]["parent_id"] == comment["id"]
    replies = await client.do("GET", f"{path}/comments", parent_comment_id=comment["id"], limit="5")
    assert [item["text"] for item in replies["items"]] == ["Second"]

    assert (await client.do("POST", f"{path}/likes", {"user_id": me.id}))["liked"]
    assert (await client.do("DELETE", f"{path}/likes/{me.id}"))["liked"] is False
    for method in ("PUT", "DELETE"):
        status, answer = await client.ask(method, path, {"user_id": friend.id})
        assert (status, answer["error"]["code"]) == (403, "forbidden")
    assert await client.do("DELETE", path, user_id=me.id) == {}
    assert (await client.ask("GET", path))[0] == 404


async def test_older_clients_follow_and_write(server: RunningServer) -> None:
    me, friend, client = await older_clients(server)
    for path, body in (
        ("/follow", {"follower_id": me.id, "followee_id": friend.id}),
        ("/follow", {"followed_user_id": friend.id}),
        ("/follow", {"user_id": me.id, "followee_id": friend.id}),
        (f"/follow?user_id={me.id}", {"followee_id": friend.id}),
        (f"/users/{me.id}/follows", {"followed_user_id": friend.id, "follower_id": me.id}),
    ):
        assert (await client.do("POST", path, body))["following"]
        assert (await client.do("DELETE", f"/users/{me.id}/follows/{friend.id}"))["following"] is False
    status, answer = await client.ask("POST", "/follow", {"follower_id": friend.id, "followee_id": friend.id})
    assert (status, answer["error"]["code"]) == (403, "forbidden")

    for path, body in (
        ("/follow", {"user_id": friend.id, "followee_id": friend.id}),
        (f"/follow?user_id={friend.id}", {"followee_id": friend.id}),
    ):
        status, answer = await client.ask("POST", path, body)
        assert (status, answer["error"]["code"]) == (403, "forbidden")
    assert (await client.ask("POST", f"/follow?user_id={friend.id}", {}))[0] == 422

    sent = {"sender_id": me.id, "receiver_id": friend.id, "content": "Hi"}
    written = await client.do("POST", "/messages", sent)
    assert (written["message"]["text"], written["receiver_id"], written["status"]) == ("Hi", friend.id, "sent")
    conversation = f"/conversations/{written['message']['conversation_id']}/messages"
    assert (await client.do("POST", conversation, {"content": "Again"}))["message"]["seq"] == 2
    status, answer = await client.ask("POST", "/messages", {**sent, "sender_id": friend.id})
    assert (status, answer["error"]["code"]) == (403, "forbidden")
    found = await client.do("GET", f"/users/{me.id}/messages", limit="1", offset="1")
    assert [item["message"]["text"] for item in found["items"]] == ["Hi"]
    assert (await client.do("GET", "/feed", user_id=me.id, limit="20"))["items"] == []
