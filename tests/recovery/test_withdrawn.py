"""What was withdrawn while a client was away is not told to it when it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from tests.handlers.chat.talk import CHAT, value
from tests.journeys.javascript import JavaScript
from tests.kit.recovering import RecoveringDevice, recovering_device
from tests.kit.server import Person, RunningServer, running_server, settings_for_tests
from tests.kit.services import Valkey
from tests.recovery.talk import CREATED, say, two, two_who_talk, until_texts

NOBODY = "http://127.0.0.1:9"
FEED, POSTS = "/feed", "/posts"
SECRET = "told too soon"

Act = Callable[[Person, Person, str], Awaitable[object]]
"""The author or the reader withdraws a post of the author."""


async def delete(author: Person, reader: Person, post_id: str) -> None:
    await author.do("/posts", "post:delete", {"post_id": post_id})


async def edit(author: Person, reader: Person, post_id: str) -> None:
    await author.do("/posts", "post:update", {"post_id": post_id, "text": "thought over"})


async def narrow(author: Person, reader: Person, post_id: str) -> None:
    await author.do("/posts", "post:update", {"post_id": post_id, "visibility": "followers", "text": "thought over"})


async def hide(author: Person, reader: Person, post_id: str) -> None:
    await author.do("/posts", "post:update", {"post_id": post_id, "visibility": "private"})


async def block(author: Person, reader: Person, post_id: str) -> None:
    await author.do("/users", "user:block", {"user_id": reader.id})


async def block_for_a_moment(author: Person, reader: Person, post_id: str) -> None:
    """The follow ends with it, and does not come back."""
    await author.do("/users", "user:block", {"user_id": reader.id})
    await author.do("/users", "user:unblock", {"user_id": reader.id})


async def be_blocked(author: Person, reader: Person, post_id: str) -> None:
    await reader.do("/users", "user:block", {"user_id": author.id})


async def unfollow(author: Person, reader: Person, post_id: str) -> None:
    await reader.do("/users", "user:unfollow", {"user_id": author.id})


ACTS: Sequence[Act] = (delete, edit, narrow, hide, block, block_for_a_moment, be_blocked, unfollow)


async def goes_away(device: RecoveringDevice) -> None:
    await device.ask("aim", url=NOBODY)
    await device.ask("drop")


def feed_texts(device: RecoveringDevice) -> list[str]:
    return [args[0]["post"]["text"] for args in device.told(FEED, "feed:new")]


async def test_a_withdrawn_post_is_not_replayed(nodes: list[RunningServer], clients: JavaScript) -> None:
    async def story(act: Act, back_at: int) -> None:
        author, reader = await two(nodes[0])
        await reader.do("/users", "user:follow", {"user_id": author.id})
        witness = await nodes[1].device(reader.access_token)
        await witness.do(FEED, "feed:subscribe")
        _, polled = await nodes[1].rest("GET", "/events", token=reader.access_token)
        async with recovering_device(clients, nodes[1].url, token=reader.access_token, namespaces=[FEED]) as device:
            await device.ask("call", namespace=FEED, name="feed:subscribe", payload={})
            await author.do("/posts", "post:create", {"text": "before"})
            await device.until_told(FEED, "feed:new")
            await goes_away(device)
            posted = await author.do("/posts", "post:create", {"text": SECRET})
            while (await witness.expect_push("feed:new"))["post"]["text"] != SECRET:
                pass
            await act(author, reader, posted["post"]["id"])
            await device.ask("aim", url=nodes[back_at].url)
            assert (await device.joins(2)).recovered
            assert await device.until_told(FEED, "resync") == [[{"scope": "feed"}, device.told(FEED, "resync")[0][1]]]
            assert SECRET not in str(device.heard), act
            query = {"cursor": polled["data"]["cursor"], "timeout_s": "0"}
            _, polled = await nodes[back_at].rest("GET", "/events", query=query, token=reader.access_token)
            events = [(event["name"], event["data"]) for event in polled["data"]["events"]]
            assert ("resync", {"scope": "feed"}) in events and SECRET not in str(events), act
            # The `resync` has the place of the push: a client that is lost again does not get it twice.
            await device.ask("drop")
            assert (await device.joins(3)).recovered
            if act in (delete, edit, narrow, hide):
                await author.do("/posts", "post:create", {"text": "after"})
                await device.until(lambda: feed_texts(device) == ["before", "after"])
            assert len(device.told(FEED, "resync")) == 1, act

    same, another = 1, 2
    await asyncio.gather(*(story(act, node) for act in ACTS for node in (same, another)))


async def test_what_is_withdrawn_from_a_watched_post_is_not_replayed(
    nodes: list[RunningServer], clients: JavaScript
) -> None:
    async def story(act: str) -> None:
        author, reader = await two(nodes[0])
        (commenter,) = await nodes[0].people(f"commenter.{author.username}")
        visibility = "public" if act == "narrow" else "followers"
        for person in (reader, commenter):
            if person is commenter or visibility == "followers":
                await person.do("/users", "user:follow", {"user_id": author.id})
        posted = await author.do(POSTS, "post:create", {"text": "The post", "visibility": visibility})
        post = {"post_id": posted["post"]["id"]}
        witness = await nodes[1].device(reader.access_token)
        await witness.do(POSTS, "post:watch", post)
        async with recovering_device(clients, nodes[1].url, token=reader.access_token, namespaces=[POSTS]) as device:
            await device.ask("call", namespace=POSTS, name="post:watch", payload=post)
            await goes_away(device)
            made = await commenter.do(POSTS, "comment:create", {**post, "text": SECRET})
            await witness.expect_push("comment:created")
            match act:
                case "edit":
                    edit = {"comment_id": made["comment"]["id"], "text": "thought over"}
                    await commenter.do(POSTS, "comment:update", edit)
                case "delete":
                    await commenter.do(POSTS, "comment:delete", {"comment_id": made["comment"]["id"]})
                case "block":
                    await commenter.do("/users", "user:block", {"user_id": reader.id})
                case "unfollow":
                    await reader.do("/users", "user:unfollow", {"user_id": author.id})
                case "narrow":
                    await author.do(POSTS, "post:update", {**post, "visibility": "followers"})
                case "hide":
                    await author.do(POSTS, "post:update", {**post, "visibility": "private"})
                case "delete post":
                    await author.do(POSTS, "post:delete", post)
            await device.ask("aim", url=nodes[2].url)
            assert (await device.joins(2)).recovered
            told = await device.until_told(POSTS, "resync")
            assert [args[0] for args in told] == [{"scope": f"post:{post['post_id']}"}], act
            assert SECRET not in str(device.heard), act
            # It still watches the post, on the node to which its session has moved, unless it may not.
            if act in ("edit", "delete", "block"):
                await author.do(POSTS, "comment:create", {**post, "text": "after"})
                await device.until_told(POSTS, "comment:created")
                await author.do(POSTS, "post:delete", post)
                await device.until_told(POSTS, "post:deleted")

    await asyncio.gather(
        *(story(act) for act in ("edit", "delete", "block", "unfollow", "narrow", "hide", "delete post"))
    )


JOINED_LONG_AGO = "UPDATE conversation_members SET joined_at = now() - interval '1 h' WHERE conversation_id = $1"
"""Messages of a conversation that is new to somebody go to the rooms of its members, and not to its own."""


async def test_what_a_block_hides_of_a_conversation_is_not_replayed(
    nodes: list[RunningServer], clients: JavaScript, database_url: str
) -> None:
    async def story(back_at: int, act: Act) -> None:
        author, reader, conversation = await two_who_talk(nodes[0])
        await say(reader, conversation, "the first one, which tells the other's name")
        await value(database_url, JOINED_LONG_AGO, int(conversation))
        await author.do("/users", "user:update", {"display_name": SECRET})
        witness = await nodes[1].device(reader.access_token)
        async with recovering_device(clients, nodes[1].url, token=reader.access_token) as device:
            await say(reader, conversation, "hello")
            await until_texts(device, "hello")
            await goes_away(device)
            await author.do(CHAT, "message:read", {"conversation_id": conversation, "seq": 2})
            await say(author, conversation, "a question")
            await say(reader, conversation, "an answer")
            await witness.expect_push("receipt:updated")
            for _ in range(3):
                await witness.expect_push(CREATED)
            await act(author, reader, "")
            await device.ask("aim", url=nodes[back_at].url)
            assert (await device.joins(2)).recovered
            await device.until_told(CHAT, "resync")
            await until_texts(device, "hello", "an answer")
            assert [args[0] for args in device.told(CHAT, "resync")] == [{"scope": f"conversation:{conversation}"}]
            assert SECRET not in str(device.heard) and device.told(CHAT, "receipt:updated") == []

    await asyncio.gather(*(story(back_at, act) for back_at, act in ((1, block), (2, be_blocked))))


async def test_a_node_that_starts_later_learns_what_was_withdrawn(
    database_url: str, redis_url: str, clients: JavaScript
) -> None:
    settings = settings_for_tests(database_url, redis_url)
    async with AsyncExitStack() as stack, AsyncExitStack() as until_stopped:
        stopping = await until_stopped.enter_async_context(running_server(settings))
        author, reader = await two(stopping)
        await reader.do("/users", "user:follow", {"user_id": author.id})
        witness = await stopping.device(reader.access_token)
        await witness.do(FEED, "feed:subscribe")
        opened = recovering_device(clients, stopping.url, token=reader.access_token, namespaces=[FEED])
        device = await stack.enter_async_context(opened)
        await device.ask("call", namespace=FEED, name="feed:subscribe", payload={})
        await goes_away(device)
        posted = await author.do("/posts", "post:create", {"text": SECRET})
        await witness.expect_push("feed:new")
        await author.do("/posts", "post:delete", {"post_id": posted["post"]["id"]})
        await witness.expect_push("post:deleted")
        staying = await stack.enter_async_context(running_server(settings))
        await until_stopped.aclose()
        await device.ask("aim", url=staying.url)
        assert (await device.joins(2)).recovered
        assert (await device.until_told(FEED, "resync"))[0][0] == {"scope": "feed"}
        await device.until_told(FEED, "post:deleted")
        assert SECRET not in str(device.heard)


async def test_a_node_without_redis_replays_nothing_that_may_be_withdrawn(
    nodes: list[RunningServer], valkey: Valkey, clients: JavaScript
) -> None:
    author, reader = await two(nodes[0])
    await reader.do("/users", "user:follow", {"user_id": author.id})
    witness = await nodes[1].device(reader.access_token)
    await witness.do(FEED, "feed:subscribe")
    async with recovering_device(clients, nodes[1].url, token=reader.access_token, namespaces=[FEED]) as device:
        await device.ask("call", namespace=FEED, name="feed:subscribe", payload={})
        await goes_away(device)
        posted = await author.do("/posts", "post:create", {"text": SECRET})
        await witness.expect_push("feed:new")
        valkey.stop()
        await author.do("/posts", "post:delete", {"post_id": posted["post"]["id"]})
        await device.ask("aim", url=nodes[1].url)
        assert (await device.joins(2)).recovered
        assert (await device.until_told(FEED, "resync"))[0][0] == {"scope": "feed"}
        assert SECRET not in str(device.heard)
        valkey.start()
