"""What README.md says of blocks, for those who block, for those who are blocked, and for those who are both."""

from __future__ import annotations

from typing import NamedTuple

from tests.kit.server import Person, RunningServer


class Meeting(NamedTuple):
    """Two people who followed each other and have a conversation, and what each of them published."""

    ada: Person
    bea: Person
    cleo: Person
    place: str
    """A post of cleo's, which both like and comment on; both follow cleo."""
    conversation_id: str
    posts: dict[str, str]

    async def sees(self, reader: Person, other: Person) -> dict[str, bool]:
        """What one of the two sees of the other, and may do to the other."""
        followers = await reader.do("/users", "user:followers", {"user_id": self.cleo.id})
        likers = await reader.do("/posts", "post:likers", {"post_id": self.place})
        comments = await reader.do("/posts", "comment:list", {"post_id": self.place})
        presence = await reader.do("/chat", "presence:watch", {"user_ids": [other.id]})
        message = {"conversation_id": self.conversation_id, "text": "Hello"}
        return {
            "profile": (await reader.call("/users", "user:get", {"user_id": other.id}))["ok"],
            "post": (await reader.call("/posts", "post:get", {"post_id": self.posts[other.id]}))["ok"],
            "comment": other.id in {item["author"]["id"] for item in comments["items"]},
            "follower": other.id in {user["id"] for user in followers["items"]},
            "liker": other.id in {user["id"] for user in likers["items"]},
            "presence": other.id in presence["online"],
            "write": (await reader.call("/chat", "message:send", message))["ok"],
        }

    async def follows(self) -> list[bool]:
        """Whether the two follow each other, as cleo finds them among the followers."""
        found = []
        for one, other in ((self.ada, self.bea), (self.bea, self.ada)):
            page = await self.cleo.do("/users", "user:followers", {"user_id": one.id})
            found.append(other.id in {user["id"] for user in page["items"]})
        return found


async def meet(server: RunningServer) -> Meeting:
    ada, bea, cleo = await server.people("words_ada", "words_bea", "words_cleo")
    place = (await cleo.do("/posts", "post:create", {"text": "Meet here"}))["post"]["id"]
    posts = {}
    for one, other in ((ada, bea), (bea, ada)):
        for followed in (other, cleo):
            await one.do("/users", "user:follow", {"user_id": followed.id})
        posts[one.id] = (await one.do("/posts", "post:create", {"text": "Mine"}))["post"]["id"]
        await one.do("/posts", "post:like", {"post_id": place})
        await one.do("/posts", "comment:create", {"post_id": place, "text": "I was here"})
    opened = await ada.do("/chat", "conversation:open", {"user_id": bea.id})
    return Meeting(ada, bea, cleo, place, opened["conversation"]["id"], posts)


async def test_the_words_on_blocks_are_true_also_for_somebody_already_blocked(server: RunningServer) -> None:
    meeting = await meet(server)
    ada, bea = meeting.ada, meeting.bea
    everything = dict.fromkeys(await meeting.sees(ada, bea), True)
    nothing = dict.fromkeys(everything, False)
    profile_alone = {**nothing, "profile": True}
    assert await meeting.sees(ada, bea) == await meeting.sees(bea, ada) == everything
    assert await meeting.follows() == [True, True]

    await ada.do("/users", "user:block", {"user_id": bea.id})
    assert (await meeting.sees(ada, bea), await meeting.sees(bea, ada)) == (profile_alone, nothing)
    assert await meeting.follows() == [False, False]
    for one, other, code in ((ada, bea, "conflict"), (bea, ada, "not_found")):
        answer = await one.call("/users", "user:follow", {"user_id": other.id})
        assert answer["error"]["code"] == code

    assert await bea.do("/users", "user:block", {"user_id": ada.id}) == {"blocked": True}
    assert (await meeting.sees(ada, bea), await meeting.sees(bea, ada)) == (nothing, nothing)

    assert await ada.do("/users", "user:unblock", {"user_id": bea.id}) == {"blocked": False}
    assert (await meeting.sees(ada, bea), await meeting.sees(bea, ada)) == (nothing, profile_alone)

    assert await bea.do("/users", "user:unblock", {"user_id": ada.id}) == {"blocked": False}
    assert await meeting.sees(ada, bea) == await meeting.sees(bea, ada) == everything
    assert await meeting.follows() == [False, False], "they stay ended"
