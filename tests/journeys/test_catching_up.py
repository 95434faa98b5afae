"""The client of docs/catching-up.md works as the page says, and its table names every Collection."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest_asyncio
import socketio

from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.handlers.chat.talk import delete_untold, join_again, open_conversation, send
from tests.house.checkout import CHECKOUT
from tests.kit.server import Person, RunningServer, running_server, settings_for_tests

PAGE = (CHECKOUT / "docs/catching-up.md").read_text()
LINES_MAX = 20
ID_OF: dict[str, Callable[[dict[str, Any]], str]] = {
    "me": lambda me: str(me["user"]["id"]),
    "relations": lambda relation: str(relation["user_id"]),
    "bookmarks": lambda bookmark: str(bookmark["post"]["id"]),
    "feed": lambda post: str(post["id"]),
    "conversations": lambda conversation: str(conversation["id"]),
    "messages": lambda message: f"{message['conversation_id']}:{message['seq']}",
}


@pytest_asyncio.fixture
async def server(database_url: str, redis_url: str) -> AsyncIterator[RunningServer]:
    async with running_server(settings_for_tests(database_url, redis_url)) as running:
        yield running


def store_class() -> Any:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert sum(bool(line.strip()) for line in code.splitlines()) <= LINES_MAX
    names: dict[str, Any] = {"ID_OF": ID_OF}
    exec(compile(code, "docs/catching-up.md", "exec"), names)
    return names["Store"]


def test_the_table_names_every_collection() -> None:
    named = re.findall(r"^\| `(\w+)` \|", PAGE.partition("## Collections")[2].partition("\n## ")[0], re.MULTILINE)
    assert named == list(Registry(FEATURES).collections) == list(ID_OF)


async def connected(server: RunningServer, person: Person) -> socketio.AsyncClient:
    client = socketio.AsyncClient(reconnection=False)
    await client.connect(
        server.url, auth={"token": person.access_token}, namespaces=["/users", "/chat"], transports=["websocket"]
    )
    return client


async def test_the_store_of_the_page_is_right_after_an_absence(server: RunningServer) -> None:
    ada = await server.person("stored_ada")

    async def read_me() -> dict[str, Any]:
        read = await ada.do("/users", "user:me")
        return {ada.id: {name: read[name] for name in ("user", "email", "profile", "settings")}}

    client = await connected(server, ada)
    store = store_class()(client, {"me": read_me})
    client.on("collection:changed", lambda told: store.apply(*told.values()), namespace="/users")
    await store.pull()
    assert store.items["me"] == await read_me()
    await ada.do("/users", "user:update", {"display_name": "Ada"})
    while store.items["me"] != await read_me():
        await client.sleep(0.01)
    await client.disconnect()
    await ada.do("/users", "user:update", {"bio": "Analyst"})
    store.socket = client = await connected(server, ada)
    await store.pull()
    assert store.items["me"] == await read_me()
    await client.disconnect()


async def test_the_store_of_the_page_reads_parts_anew(server: RunningServer, database_url: str) -> None:
    ada, bea = await server.people("parts_ada", "parts_bea")
    conversation_id = await open_conversation(bea, ada)
    for number in range(3):
        await send(bea, conversation_id, f"Number {number}")

    async def read_messages(part: str) -> dict[str, Any]:
        read = await ada.do("/chat", "message:list", {"conversation_id": part})
        return {ID_OF["messages"](item): item for item in read["items"] if "deleted" not in item}

    client = await connected(server, ada)
    store = store_class()(client, {"messages": read_messages})
    client.on("message:created", lambda told: store.apply("messages", [told["message"]], []), namespace="/chat")
    await store.pull()
    assert store.items["messages"] == await read_messages(conversation_id)
    await client.disconnect()
    await send(bea, conversation_id, "One more")
    await delete_untold(database_url, conversation_id, 2)
    await join_again(database_url, conversation_id, ada)
    store.socket = client = await connected(server, ada)
    await store.pull()
    assert list(store.items["messages"]) != []
    assert store.items["messages"] == await read_messages(conversation_id)
    await client.disconnect()
