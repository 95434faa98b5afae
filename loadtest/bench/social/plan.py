"""What is measured of the social core, how much of it, and the targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from loadtest.bench.figures import Metric, Target


@dataclass(frozen=True, slots=True)
class SocialSizes:
    """How much is measured.

    The network: `people` with `posts`, each following `more_follows` others beside those of `./run seed`; an author
    with `followers`, and `celebrities` with `celebrity_followers`, above the bound of broadcasters.
    Pages: `viewers` of each kind, each reading `pages_each`. Fan-out: `fanouts` posts, seen by `listeners`.
    Mixed commands: `mixed_rate` a second from `sockets`, for `for_s`. Likes: `rounds` of `likes_for_s` with
    `likes_rate` a second offered on one post, while `others` people like other posts as fast as they are answered.
    Before each measurement the product gets up to `settle_s` to become idle.
    """

    people: int
    posts: int
    more_follows: int
    followers: int
    celebrities: int
    celebrity_followers: int
    viewers: int
    pages_each: int
    fanouts: int
    listeners: int
    sockets: int
    mixed_rate: int
    for_s: float
    rounds: int
    likes_rate: int
    likes_for_s: float
    others: int
    settle_s: float


SMALL: Final = SocialSizes(
    people=2_400,
    posts=24_000,
    more_follows=0,
    followers=2_000,
    celebrities=3,
    celebrity_followers=2_200,
    viewers=150,
    pages_each=10,
    fanouts=30,
    listeners=200,
    sockets=400,
    mixed_rate=200,
    for_s=10,
    rounds=3,
    likes_rate=4_000,
    likes_for_s=2,
    others=32,
    settle_s=2,
)
LONG: Final = SocialSizes(
    people=100_000,
    posts=2_000_000,
    more_follows=25,
    followers=10_000,
    celebrities=5,
    celebrity_followers=20_000,
    viewers=1_000,
    pages_each=10,
    fanouts=100,
    listeners=1_000,
    sockets=2_000,
    mixed_rate=1_000,
    for_s=20,
    rounds=5,
    likes_rate=10_000,
    likes_for_s=5,
    others=64,
    settle_s=10,
)
QUICK: Final = SocialSizes(
    people=80,
    posts=400,
    more_follows=2,
    followers=40,
    celebrities=2,
    celebrity_followers=50,
    viewers=6,
    pages_each=2,
    fanouts=2,
    listeners=10,
    sockets=20,
    mixed_rate=100,
    for_s=0.4,
    rounds=1,
    likes_rate=200,
    likes_for_s=0.2,
    others=4,
    settle_s=0.1,
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a part of the table."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the table, and of `--only`."""

    name: str
    title: str
    columns: Sequence[Column]
    metrics: Sequence[Metric]


P50: Final = Column("p50", "P50")
P99: Final = Column("p99", "P99")
MEASURED: Final = Column("measured", "measured")
ALONE: Final = Column("alone", "no others")
SPREAD: Final = Column("spread", "many posts")
HOT: Final = Column("hot", "one post")

PAGES: Final = Part(
    "pages",
    "feed page of 20",
    (P50, P99),
    (
        Metric("page_cached", "of a kept list", "ms"),
        Metric("page_cold", "without a list, which is rebuilt", "ms"),
        Metric("page_merged", "of a kept list, with celebrities merged", "ms"),
        Metric("page_ranked", "ranked", "ms"),
    ),
)
FANOUT: Final = Part(
    "fanout",
    "one post to all followers of its author",
    (P50, P99),
    (
        Metric("fanout_listener", "until a listening follower has it", "ms"),
        Metric("fanout_last", "until the last listening one has it", "ms"),
    ),
)
FANOUT_COST: Final = Part(
    "fanout",
    "cost of that for each follower",
    (MEASURED,),
    (
        Metric("push_valkey", "CPU of Valkey", "us"),
        Metric("push_worker", "CPU of the worker", "us"),
        Metric("entry", "memory of an entry of a list", "bytes"),
    ),
)
MIXED: Final = Part(
    "mixed",
    "mixed commands, from the time they are due",
    (P50, P99),
    (
        Metric("mixed_page", "feed page", "ms"),
        Metric("mixed_post", "post", "ms"),
        Metric("mixed_like", "like or unlike", "ms"),
        Metric("mixed_follow", "follow or unfollow", "ms"),
        Metric("mixed_lag", "sent late by the generator itself", "ms"),
    ),
)
MIXED_RATE: Final = Part(
    "mixed",
    "rate of mixed commands",
    (MEASURED,),
    (
        Metric("mixed_offered", "offered", "per s"),
        Metric("mixed_accepted", "accepted", "per s"),
        Metric("mixed_refused", "refused for now", "%"),
    ),
)
LIKES: Final = Part(
    "likes",
    "likes, beside them on",
    (ALONE, SPREAD, HOT),
    (
        Metric("likes_others", "likes of other posts", "per s"),
        Metric("likes_offered", "offered beside them", "per s"),
        Metric("likes_accepted", "accepted of these", "per s"),
        Metric("likes_lag", "sent late by the generator itself, P99", "ms"),
    ),
)
LIKES_COUNT: Final = Part(
    "likes",
    "likes of the one post at the end",
    (MEASURED,),
    (
        Metric("likes_expected", "by the answers", "likes"),
        Metric("likes_uncounted", "SQL or the post's count differ by", "likes"),
    ),
)
PARTS: Final = (PAGES, FANOUT, FANOUT_COST, MIXED, MIXED_RATE, LIKES, LIKES_COUNT)
GROUPS: Final = tuple(dict.fromkeys(part.name for part in PARTS))
METRICS: Final = tuple(metric for part in PARTS for metric in part.metrics)

TARGETS: Final = (
    Target("page_cold", P99.name, 200),
    Target("fanout_last", P99.name, 2_000),
    Target("push_valkey", MEASURED.name, 2.5),
    Target("push_worker", MEASURED.name, 2.5),
    Target("entry", MEASURED.name, 12),
    Target("mixed_page", P99.name, 100),
    Target("mixed_post", P99.name, 50),
    Target("mixed_like", P99.name, 30),
    Target("mixed_follow", P99.name, 30),
    Target("likes_uncounted", MEASURED.name, 0),
    # Beside as many likes of many posts: those of one post take the same CPU from the others, wherever they go.
    Target("likes_others", HOT.name, 0.9, SPREAD.name, side="at least"),
)
