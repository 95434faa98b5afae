"""Ada, who is hidden, and Bea, who sees nothing of her: on two nodes."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.kit.server import Person, RunningServer

Nodes = tuple[RunningServer, RunningServer]
UNKNOWN = {"user_id": "1"}


class Scene(NamedTuple):
    """Ada has an account on the first node, Bea on the other; Bea follows Ada, and they have a conversation."""

    ada: Person
    bea: Person
    post: str
    answered: str
    """Ada's comment on Bea's post that Bea has replied to; the other one has no reply."""
    unanswered: str
    bea_post: str
    conversation: str


async def make_scene(nodes: Nodes, prefix: str) -> Scene:
    one, other = nodes
    ada, bea = await one.person(f"{prefix}.ada"), await other.person(f"{prefix}.bea")
    await bea.do("/users", "user:follow", {"user_id": ada.id})
    await ada.do("/users", "user:follow", {"user_id": bea.id})
    await bea.do("/feed", "feed:subscribe")
    post = (await ada.do("/posts", "post:create", {"text": "Hello"}))["post"]["id"]
    await bea.expect_push("feed:new")
    await bea.do("/posts", "post:watch", {"post_id": post})
    bea_post = (await bea.do("/posts", "post:create", {"text": "Mine"}))["post"]["id"]
    await ada.do("/posts", "post:like", {"post_id": bea_post})
    answered, unanswered = [
        (await ada.do("/posts", "comment:create", {"post_id": bea_post, "text": text}))["comment"]["id"]
        for text in ("Why?", "I see")
    ]
    reply = {"post_id": bea_post, "parent_id": answered, "text": "Because"}
    await bea.do("/posts", "comment:create", reply)
    opened = await ada.do("/chat", "conversation:open", {"user_id": bea.id})
    conversation = opened["conversation"]["id"]
    await ada.do("/chat", "message:send", {"conversation_id": conversation, "text": "Are you there?"})
    return Scene(ada, bea, post, answered, unanswered, bea_post, conversation)


async def code_of(person: Person, namespace: str, name: str, payload: object) -> str:
    answer = await person.call(namespace, name, payload)
    return "ok" if answer["ok"] else answer["error"]["code"]


async def ids_of(person: Person, namespace: str, name: str, payload: object) -> list[str]:
    return [item["id"] for item in (await person.do(namespace, name, payload))["items"]]


async def require_gone(scene: Scene) -> None:
    """Bea sees nothing of Ada but what threads and conversations need."""
    ada, bea = scene.ada, scene.bea
    for namespace, name in (("/users", "user:get"), ("/users", "user:followers"), ("/posts", "post:list")):
        hidden = await bea.call(namespace, name, {"user_id": ada.id})
        assert hidden == await bea.call(namespace, name, UNKNOWN), name
    assert await code_of(bea, "/users", "user:get", {"username": ada.username}) == "not_found"
    for name in ("user:follow", "user:block"):
        assert await code_of(bea, "/users", name, {"user_id": ada.id}) == "not_found", name
    for name in ("post:get", "post:watch", "post:like", "post:likers", "comment:list"):
        assert await code_of(bea, "/posts", name, {"post_id": scene.post}) == "not_found", name
    assert await ids_of(bea, "/feed", "feed:page", {}) == []
    assert await ids_of(bea, "/posts", "post:likers", {"post_id": scene.bea_post}) == []
    for name in ("user:followers", "user:following"):
        assert await ids_of(bea, "/users", name, {"user_id": bea.id}) == [], name

    [tombstone] = (await bea.do("/posts", "comment:list", {"post_id": scene.bea_post}))["items"]
    assert tombstone["id"] == scene.answered
    assert (tombstone["deleted"], tombstone["text"], "author" in tombstone) == (True, "", False)
    below = {"post_id": scene.bea_post, "parent_id": scene.answered}
    assert len(await ids_of(bea, "/posts", "comment:list", below)) == 1
    answer = {**below, "parent_id": scene.unanswered, "text": "?"}
    assert await code_of(bea, "/posts", "comment:create", answer) == "not_found"

    talk = {"conversation_id": scene.conversation}
    [message] = (await bea.do("/chat", "message:list", talk))["items"]
    assert (message["sender"]["id"], message["sender"]["deleted"]) == (ada.id, True)
    assert message["text"] == "Are you there?" and "display_name" not in message["sender"]
    members = (await bea.do("/chat", "conversation:get", talk))["conversation"]["members"]
    assert [member["user"].get("deleted") for member in members if member["user"]["id"] == ada.id] == [True]
    assert await code_of(bea, "/chat", "message:send", {**talk, "text": "Hello?"}) == "forbidden"
    online = await bea.do("/chat", "presence:watch", {"user_ids": [ada.id]})
    assert online["online"] == {}


async def require_back(scene: Scene) -> None:
    ada, bea = scene.ada, scene.bea
    found = await bea.do("/users", "user:get", {"user_id": ada.id})
    assert (found["user"]["viewer"]["following"], found["user"]["viewer"]["followed_by"]) == (True, True)
    assert await ids_of(bea, "/feed", "feed:page", {}) == [scene.post]
    assert await ids_of(bea, "/posts", "post:likers", {"post_id": scene.bea_post}) == [ada.id]
    shown = await bea.do("/posts", "comment:list", {"post_id": scene.bea_post})
    assert [(item["id"], item["author"]["id"]) for item in shown["items"]] == [
        (scene.unanswered, ada.id),
        (scene.answered, ada.id),
    ]
    [message] = (await bea.do("/chat", "message:list", {"conversation_id": scene.conversation}))["items"]
    assert message["sender"]["display_name"] == ada.username and "deleted" not in message["sender"]


async def log_in(server: RunningServer, person: Person) -> tuple[int, dict[str, Any]]:
    return await server.rest("POST", "/auth/login", {"login": person.username, "password": person.password})


async def log_in_again(server: RunningServer, person: Person) -> Person:
    status, answer = await log_in(server, person)
    assert status == 200, answer
    return Person(server, answer["data"], person.password)


async def feed_cursor(person: Person) -> str:
    cursor: str = (await person.do("/users", "sync:pull", {"collections": ["feed"]}))["cursor"]
    return cursor


async def feed_is_reset(person: Person, cursor: str) -> bool:
    pulled = await person.do("/users", "sync:pull", {"collections": ["feed"], "cursor": cursor})
    return bool(pulled["changes"].get("feed", {}).get("reset"))
