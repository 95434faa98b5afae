"""Which statements each command of the product executes, in order.

Tests compare them to what the product sends, and to loadtest/peers/node/commands.mjs, which is written by hand: a
change of an operation changes these two places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from loadtest.bench.calls import PAGE

LARGEST_ID: Final = 2**63 - 1
BROADCASTER_FROM: Final = 10_000
"""`FEED_FANOUT_MAX_FOLLOWERS` of the product."""
FEED_LIST_MAX: Final = 800
"""The setting of this name of the product."""
FEED_IDS_SENT: Final = PAGE + 1 + 5
"""How many ids of a list the product gives to SQL for a page."""
HIDDEN_FROM_MAX: Final = 5_000
"""How many people a push about a comment leaves out at most."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value that differs from call to call, by its name."""

    name: str


Constant = int | str | list[str] | list[int] | None
Source = Given | Constant


@dataclass(frozen=True, slots=True)
class Step:
    """A statement with the sources of its parameters.

    `joined` is what the product executes in its place, for the callers of one moment together.
    """

    statement: str
    arguments: Mapping[str, Source]
    joined: str = ""

    @property
    def of_product(self) -> str:
        return self.joined or self.statement


@dataclass(frozen=True, slots=True)
class Plan:
    """The statements of one command, each by itself."""

    steps: tuple[Step, ...]


ME: Final = Given("me")
POST: Final = Given("post_id")
USER: Final = Given("user_id")
CONVERSATION: Final = Given("conversation_id")
TEXT: Final = Given("text")
FEED_IDS: Final = Given("feed_ids")
FEED_FLOOR: Final = Given("feed_floor")

_READ_POST: Final = Step("plain.read_post", {"viewer_id": ME, "post_id": POST}, joined="posts.read_post")
_LIKE: Final = Step("plain.like_post", {"post_id": POST, "user_id": ME}, joined="posts.set_like")
_UNLIKE: Final = Step("plain.unlike_post", {"post_id": POST, "user_id": ME}, joined="posts.set_like")

PLANS: Final[Mapping[str, Plan]] = {
    "user:me": Plan((Step("plain.read_own_profile", {"user_id": ME}, joined="people.read_own_profile"),)),
    "feed:page": Plan(
        (
            Step(
                "plain.home_page",
                {
                    "viewer_id": ME,
                    "ids": FEED_IDS,
                    "floor": FEED_FLOOR,
                    "before": LARGEST_ID,
                    "skip": 0,
                    "page_size": PAGE + 1,
                },
                joined="feed.home_page",
            ),
        )
    ),
    "sync:pull": Plan((Step("plain.peek", {"viewer_id": ME, "after": LARGEST_ID}, joined="sync.peek"),)),
    "post:like": Plan((_READ_POST, _LIKE)),
    "post:unlike": Plan((_UNLIKE, _READ_POST)),
    "comment:create": Plan(
        (
            _READ_POST,
            Step(
                "plain.insert_comment",
                {
                    "post_id": POST,
                    "parent_id": None,
                    "author_id": ME,
                    "text": TEXT,
                    "client_id": None,
                    "id_limit": HIDDEN_FROM_MAX + 1,
                },
                joined="comments.insert_comment",
            ),
        )
    ),
    "post:create": Plan(
        (
            Step(
                "plain.insert_post",
                {
                    "author_id": ME,
                    "kind": "text",
                    "text": TEXT,
                    "link": None,
                    "entity_set": "{}",
                    "visibility": "public",
                    "replies_from": "everyone",
                    "sensitive": False,
                    "client_id": None,
                },
                joined="posts.insert_post",
            ),
        )
    ),
    "message:send": Plan(
        (
            Step(
                "plain.send_message",
                {
                    "conversation_id": CONVERSATION,
                    "sender_id": ME,
                    "text": TEXT,
                    "reply_to_seq": None,
                    "client_id": None,
                },
                joined="chat.send_message",
            ),
        ),
    ),
    "user:follow": Plan(
        (
            Step(
                "plain.follow",
                {"follower_id": ME, "followed_id": USER, "broadcaster_from": BROADCASTER_FROM},
                joined="graph.set_follow",
            ),
        )
    ),
    "user:unfollow": Plan(
        (Step("plain.unfollow", {"follower_id": ME, "followed_id": USER}, joined="graph.set_follow"),)
    ),
}


def feed_list(ids: list[int]) -> dict[str, int | list[int]]:
    """What the first page gets of a feed's list, from the newest ids in it: a list that is not full has every post."""
    is_all = len(ids) <= FEED_IDS_SENT and len(ids) < FEED_LIST_MAX
    return {FEED_IDS.name: ids[:FEED_IDS_SENT], FEED_FLOOR.name: 0 if is_all else ids[:FEED_IDS_SENT][-1]}
