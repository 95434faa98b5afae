"""Generates a believable network: users, follows, posts, likes, comments, conversations.

Nothing here touches a database. The same arguments with the same `seed` give the same network, except for its times.
"""

from __future__ import annotations

import datetime
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from handlers.case_folding import folded
from server.cli_error import CliError
from sql.execution.bulk import (
    CommentRecord,
    ConversationRecord,
    FollowRecord,
    LikeRecord,
    MemberRecord,
    MessageRecord,
    PersonRecord,
    PostRecord,
)
from sql.ids import id_floor_ms, ms_of_id

DAYS = 30
MS_PER_DAY = 86_400_000
FOLLOWS_EACH = 25
LIKES_PER_POST = 4
COMMENTS_PER_POST = 0.5
PHRASES = 400
DEMO_USERNAME = "demo"

Edge = tuple[int, int]


@dataclass(slots=True)
class DemoNetwork:
    """Records of all kinds, in an order in which they can be stored."""

    people: list[PersonRecord] = field(default_factory=list)
    follows: list[FollowRecord] = field(default_factory=list)
    posts: list[PostRecord] = field(default_factory=list)
    likes: list[LikeRecord] = field(default_factory=list)
    comments: list[CommentRecord] = field(default_factory=list)
    conversations: list[ConversationRecord] = field(default_factory=list)
    members: list[MemberRecord] = field(default_factory=list)
    messages: list[MessageRecord] = field(default_factory=list)


def read_edges(path: Path) -> list[Edge]:
    """Reads an edge list: two numbers a line, `#` begins a comment. Raises CliError."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise CliError(f"cannot read {path}: {error.strerror}") from error
    edges = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or not all(word.isascii() and word.isdigit() and len(word) < 20 for word in words):
            raise CliError(f"{path}, line {number}: expected two numbers, one friendship a line")
        one, other = int(words[0]), int(words[1])
        if one != other:
            edges.append((one, other))
    if not edges:
        raise CliError(f"{path} has no friendships in it")
    return edges


class NetworkMaker:
    """Generates one network, with its counters. `password_hash` is that of all users.

    Who has `broadcaster_from` followers is a broadcaster. People and posts are in the order of their ids, and what
    refers to them in theirs, so that indexes grow at their ends.
    """

    def __init__(
        self, *, password_hash: str, now: datetime.datetime, seed: int, prefix: str, broadcaster_from: int
    ) -> None:
        from faker import Faker  # here, since it takes 0.2 s, and most starts generate nothing

        self._random = random.Random(seed)
        self._faker = Faker()
        self._faker.seed_instance(seed)
        self._password_hash = password_hash
        self._now = now
        self._now_ms = int(now.timestamp() * 1000)
        self._prefix = prefix
        self._broadcaster_from = broadcaster_from
        self._network = DemoNetwork()
        self._taken: set[int] = set()
        self._phrases = [self._faker.sentence(nb_words=self._random.randint(4, 14)) for _ in range(PHRASES)]

    def from_edges(self, edges: Sequence[Edge], *, posts: int) -> DemoNetwork:
        """The users of a friendship graph; each edge becomes a follow in both directions."""
        names = sorted({person for edge in edges for person in edge})
        places = {name: place for place, name in enumerate(names)}
        self._add_people(len(names), demo=False)
        self._add_follows(
            pair for one, other in edges for pair in ((places[one], places[other]), (places[other], places[one]))
        )
        return self._fill(posts)

    def generated(self, people: int, *, posts: int, demo: bool) -> DemoNetwork:
        """A network in which some users have many followers; with `demo`, the first user is the demo account."""
        self._add_people(people, demo=demo)
        self._add_follows(self._choose_follows(people))
        return self._fill(posts)

    def _fill(self, posts: int) -> DemoNetwork:
        self._add_posts(posts)
        self._add_reactions()
        self._add_conversations()
        self._count_of_people()
        return self._network

    def _id(self, days_ago: float) -> int:
        floor = id_floor_ms(self._now_ms - int(days_ago * MS_PER_DAY))
        # Random low bits: the id must differ from those that a server generates in the same millisecond.
        while (made := floor | self._random.getrandbits(22)) in self._taken:
            pass
        self._taken.add(made)
        return made

    def _add_people(self, count: int, *, demo: bool) -> None:
        ids = sorted(self._id(DAYS + self._random.random() * 300) for _ in range(count))
        for number, person_id in enumerate(ids):
            name = self._faker.name()
            slug = "".join(character for character in name.lower() if character.isascii() and character.isalpha())
            username = DEMO_USERNAME if demo and number == 0 else f"{self._prefix}{slug[:16]}{number}"
            email = f"{username}@rookery.example"
            self._network.people.append(
                PersonRecord(
                    id=person_id,
                    username=username,
                    username_folded=folded(username),
                    email=email,
                    email_folded=folded(email),
                    password_hash=self._password_hash,
                    display_name="Demo" if username == DEMO_USERNAME else name[:50],
                    bio=self._random.choice(self._phrases)[:300],
                    created_at=_moment_of(person_id),
                    last_active_at=self._now,
                )
            )

    def _choose_follows(self, count: int) -> Iterable[tuple[int, int]]:
        """Pairs of follower and followed user; a user with many followers is chosen more often."""
        popular = list(range(count))
        for follower in range(count):
            for _ in range(min(count - 1, self._random.randint(1, 2 * FOLLOWS_EACH))):
                followed = self._random.choice(popular)
                popular.append(followed)
                yield follower, followed

    def _add_follows(self, pairs: Iterable[tuple[int, int]]) -> None:
        people = self._network.people
        self._network.follows = sorted(
            FollowRecord(people[follower].id, people[followed].id)
            for follower, followed in set(pairs)
            if follower != followed
        )

    def _add_posts(self, count: int) -> None:
        for post_id in sorted(self._id(self._random.random() ** 2 * DAYS) for _ in range(count)):
            text = " ".join(self._random.choices(self._phrases, k=self._random.randint(1, 3)))
            is_link = self._random.random() < 0.1
            self._network.posts.append(
                PostRecord(
                    id=post_id,
                    author_id=self._random.choice(self._network.people).id,
                    kind="link" if is_link else "text",
                    text=text,
                    link=f"https://example.org/{post_id}" if is_link else None,
                )
            )

    def _add_reactions(self) -> None:
        people, likes, comments = self._network.people, self._network.likes, self._network.comments
        ids = [person.id for person in people]
        for place, post in enumerate(self._network.posts):
            days_ago = (self._now_ms - ms_of_id(post.id)) / MS_PER_DAY
            like_count = min(len(ids), int(self._random.expovariate(1 / LIKES_PER_POST)))
            likes += [LikeRecord(post.id, user_id) for user_id in sorted(self._random.sample(ids, like_count))]
            comment_count = int(self._random.expovariate(1 / COMMENTS_PER_POST))
            comment_ids = [self._id(days_ago * self._random.random()) for _ in range(comment_count)]
            comments += [
                CommentRecord(comment_id, post.id, self._random.choice(ids), self._random.choice(self._phrases))
                for comment_id in comment_ids
            ]
            self._network.posts[place] = post._replace(
                like_count=like_count, comment_count=comment_count, last_comment_id=max(comment_ids, default=0)
            )

    def _add_conversations(self) -> None:
        pairs = {(min(one, other), max(one, other)) for one, other in self._network.follows}
        chosen = sorted(pairs)
        self._random.shuffle(chosen)
        demo_ids = {person.id for person in self._network.people if person.username == DEMO_USERNAME}
        of_demo = [pair for pair in chosen if demo_ids.intersection(pair)][:5]
        for low, high in dict.fromkeys(of_demo + chosen[: len(self._network.people)]):
            self._add_conversation(low, high)

    def _add_conversation(self, low: int, high: int) -> None:
        count = self._random.randint(1, 12)
        message_ids = sorted(self._id(self._random.random() * 7) for _ in range(count))
        conversation_id = self._id(8)
        own_last_seq = {low: 0, high: 0}
        for seq, message_id in enumerate(message_ids, start=1):
            sender, text = self._random.choice((low, high)), self._random.choice(self._phrases)
            self._network.messages.append(
                MessageRecord(conversation_id, seq, seq, message_id, sender, text, _moment_of(message_id))
            )
            own_last_seq[sender] = seq
        self._network.conversations.append(
            ConversationRecord(
                conversation_id, "direct", low, high, count, count, message_ids[-1], _moment_of(message_ids[0])
            )
        )
        for user_id, written_seq in own_last_seq.items():
            read_seq = self._random.randint(max(written_seq, count - 3), count)
            self._network.members.append(MemberRecord(conversation_id, user_id, read_seq, count))

    def _count_of_people(self) -> None:
        network = self._network
        followers = Counter(follow.followed_id for follow in network.follows)
        following = Counter(follow.follower_id for follow in network.follows)
        posts = Counter(post.author_id for post in network.posts)
        network.people = [
            person._replace(
                follower_count=followers[person.id],
                following_count=following[person.id],
                post_count=posts[person.id],
                followers_post_count=posts[person.id],
                public_post_count=posts[person.id],
                is_broadcaster=followers[person.id] >= self._broadcaster_from,
            )
            for person in network.people
        ]


def _moment_of(made_id: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(ms_of_id(made_id) / 1000, datetime.UTC)
