"""What feeds and watchers are told of shares: nobody is pushed a shared post that they may not see."""

from __future__ import annotations

from tests.handlers.shares.test_operations import publish, read, share
from tests.kit.server import RunningServer


async def test_feeds_are_told_of_shares_with_what_their_reader_may_see(server: RunningServer) -> None:
    author, sharer, reader, hidden = await server.people("fed_author", "fed_sharer", "fed_reader", "fed_hidden")
    for person in (reader, hidden):
        await person.do("/users", "user:follow", {"user_id": sharer.id})
    await author.do("/users", "user:block", {"user_id": hidden.id})
    devices = [await person.device() for person in (reader, hidden)]
    for device in devices:
        await device.do("/feed", "feed:subscribe")
    post_id = await publish(author)
    made = await share(sharer, post_id)
    told = [(await device.expect_push("feed:new"))["post"] for device in devices]
    assert [post["id"] for post in told] == [made["id"]] * 2
    assert told[0]["shared"]["text"] == "original" and "viewer" not in told[0]["shared"]
    assert "shared" not in told[1]
    await author.do("/posts", "post:update", {"post_id": post_id, "text": "edited"})
    told = [(await device.expect_push("post:updated"))["post"] for device in devices]
    assert told[0]["shared"]["text"] == "edited" and "shared" not in told[1]
    await author.do("/posts", "post:delete", {"post_id": post_id})
    told = [(await device.expect_push("post:updated"))["post"] for device in devices]
    assert all("shared" not in post for post in told)
    await sharer.do("/posts", "post:unshare", {"post_id": post_id})
    for device in devices:
        assert await device.expect_push("post:deleted") == {"post_id": made["id"]}


async def test_watchers_of_a_share_read_it_again_when_the_shared_post_changes(server: RunningServer) -> None:
    author, sharer, reader = await server.people("watched_author", "watched_sharer", "watched_reader")
    post_id = await publish(author)
    made = await share(sharer, post_id)
    device = await reader.device()
    await device.do("/posts", "post:watch", {"post_id": made["id"]})
    await author.do("/posts", "post:update", {"post_id": post_id, "text": "edited"})
    assert await device.expect_push("resync") == {"scope": f"post:{made['id']}"}
    assert (await read(reader, made["id"]))["shared"]["text"] == "edited"
