"""Texts as people write them: a limit is one of characters, and no text turns around what follows it."""

from __future__ import annotations

import itertools
import json
import unicodedata
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest_asyncio

from handlers.limits import BIO_CHARS, COMMENT_CHARS, DISPLAY_NAME_CHARS, MESSAGE_CHARS, POST_CHARS
from tests.contract.world import World, make_world
from tests.kit.raw_socket import raw_socket
from tests.kit.server import RunningServer

HANGUL, ACCENTS, FAMILY = "한", "ᾂ", "\U0001f468\u200d\U0001f469\u200d\U0001f467"
RLE, PDF, RLO = "\u202b", "\u202c", "\u202e"

_numbers = itertools.count(1)

LONG_TEXTS = [
    ("/posts", "post:create", "text", POST_CHARS),
    ("/posts", "post:update", "text", POST_CHARS),
    ("/posts", "comment:create", "text", COMMENT_CHARS),
    ("/chat", "message:send", "text", MESSAGE_CHARS),
    ("/users", "user:update", "bio", BIO_CHARS),
]


@pytest_asyncio.fixture
async def world(server: RunningServer) -> AsyncIterator[World]:
    yield await make_world(server, f"letters.{next(_numbers)}")


def sent(text: str) -> bytes:
    """As some clients write a text: decomposed, and in ASCII."""
    return json.dumps(unicodedata.normalize("NFD", text)).encode()


async def polled(server: RunningServer, token: str, namespace: str, packet: bytes) -> bytes:
    """What a polling client gets after it sent this packet to a namespace that it has joined."""
    url = f"{server.url}/socket.io/?EIO=4&transport=polling"

    async def ask(http: aiohttp.ClientSession, sid: str = "", body: bytes | None = None) -> bytes:
        async with http.request("GET" if body is None else "POST", f"{url}{sid}", data=body) as response:
            assert response.status == 200, response.status
            return await response.read()

    sid = "&sid=" + orjson.loads((await ask(server.http))[1:])["sid"]
    await ask(server.http, sid, f'40{namespace},{{"token":"{token}"}}'.encode())
    await ask(server.http, sid)
    await ask(server.http, sid, packet)
    return await ask(server.http, sid)


async def test_a_text_of_the_longest_length_is_taken_however_it_is_written(server: RunningServer, world: World) -> None:
    ids = {
        "post:create": {},
        "post:update": {"post_id": world.values["post_id"]},
        "comment:create": {"post_id": world.values["post_id"]},
        "message:send": {"conversation_id": world.values["conversation_id"]},
        "user:update": {},
    }
    async with raw_socket(server.http, server.url, world.me.access_token, ["/posts", "/chat", "/users"]) as socket:
        for namespace, name, field, chars in LONG_TEXTS:
            for character in (HANGUL, ACCENTS):
                head = orjson.dumps(ids[name])[:-1] + (b"," if ids[name] else b"") + f'"{field}":'.encode()
                taken = await socket.call(namespace, name, head + sent(character * chars) + b"}")
                assert taken["ok"], (name, taken)
                (thing,) = [value for key, value in taken["data"].items() if key != "profile"]
                assert thing[field] == character * chars
                refused = await socket.call(namespace, name, head + sent(character * (chars + 1)) + b"}")
                assert list(refused["error"].get("fields", {})) == [field], (name, refused)


async def test_five_thousand_syllables_are_taken_over_every_transport(server: RunningServer, world: World) -> None:
    text = sent(HANGUL * POST_CHARS)
    assert len(text) == 90_002
    body = b'{"text":' + text + b"}"
    headers = {"Authorization": f"Bearer {world.me.access_token}"}
    async with server.http.post(f"{server.url}/v1/posts", data=body, headers=headers) as response:
        assert (response.status, (await response.json())["data"]["post"]["text"]) == (201, HANGUL * POST_CHARS)
    packet = b'42/posts,1["post:create",' + body + b"]"
    answer = await polled(server, world.me.access_token, "/posts", packet)
    assert orjson.loads(answer.removeprefix(b"43/posts,1"))[0]["data"]["post"]["text"] == HANGUL * POST_CHARS


async def test_names_lose_controls_of_direction_and_texts_keep_them_closed(server: RunningServer, world: World) -> None:
    user = (await world.me.do("/users", "user:update", {"display_name": f"gnp{RLO}exe{FAMILY}", "bio": f"{RLE}אב"}))[
        "user"
    ]
    assert (user["display_name"], user["bio"]) == (f"gnpexe{FAMILY}", "אב")
    status, answer = await world.me.rest("PATCH", "/users/me", {"display_name": RLO * DISPLAY_NAME_CHARS})
    assert (status, list(answer["error"]["fields"])) == (422, ["display_name"])
    for text, kept in (
        (f"{FAMILY} {RLE}אב{PDF} ok", f"{FAMILY} {RLE}אב{PDF} ok"),
        (f"{RLO}txt.exe\nnext{PDF}", f"{RLO}txt.exe{PDF}\nnext"),
    ):
        made = await world.me.do("/posts", "post:create", {"text": text})
        assert made["post"]["text"] == kept
        status, answer = await world.me.rest(
            "POST", f"/conversations/{world.values['conversation_id']}/messages", {"text": text}
        )
        assert (status, answer["data"]["message"]["text"]) == (201, kept)
    me = world.me
    for login in (f"{RLE}{me.username}{PDF}", f"\u2068{me.username.upper()}@example.org\u2069"):
        status, answer = await server.rest("POST", "/auth/login", {"login": login, "password": me.password})
        assert (status, answer["data"]["user"]["id"]) == (200, me.id), "pasted from somewhere else"
