"""The demo network as made up, before any of it is stored."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest

from handlers.accounts.contract import Register
from handlers.limits import COMMENT_CHARS, MESSAGE_CHARS, POST_CHARS
from realtime.contract.wire import unix_ms
from server.cli_error import CliError
from server.dev.demo_network import DEMO_USERNAME, DemoNetwork, NetworkMaker, read_edges
from sql.ids import ms_of_id
from tests.kit.clock import NOON

EDGES = [(1, 2), (2, 3), (3, 1), (1, 2), (2, 1), (3, 9)]


def make(seed: int = 1, prefix: str = "s1a2b.") -> NetworkMaker:
    return NetworkMaker(password_hash="hash", now=NOON, seed=seed, prefix=prefix, broadcaster_from=40)


@pytest.fixture(scope="module")
def network() -> DemoNetwork:
    return make(prefix="").generated(120, posts=600, demo=True)


def test_an_edge_list_may_have_comments_and_empty_lines(tmp_path: Path) -> None:
    file = tmp_path / "graph.txt"
    file.write_text("# friends\n1 2\n\n  2\t3  # close ones\n4 4\n0007 1\n")
    assert read_edges(file) == [(1, 2), (2, 3), (7, 1)]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"1 2\n1 two\n", "line 2"),
        (b"1 2 3\n", "line 1"),
        (b"1\n", "line 1"),
        (b"1,2\n", "line 1"),
        (b"1 -2\n", "line 1"),
        ("1 ٢\n".encode(), "line 1"),
        (b"1 " + b"9" * 5_000, "line 1"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "line 1"),
        (b"", "no friendships"),
        (b"# nothing\n5 5\n", "no friendships"),
    ],
)
def test_a_bad_edge_list_is_reported_in_one_line_with_its_place(tmp_path: Path, content: bytes, complaint: str) -> None:
    file = tmp_path / "graph.txt"
    file.write_bytes(content)
    with pytest.raises(CliError, match=complaint) as failed:
        read_edges(file)
    assert str(file) in str(failed.value)
    assert len(str(failed.value).splitlines()) == 1


def test_a_file_that_cannot_be_read_is_reported_in_one_line(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(CliError, match=f"cannot read {path}: "):
            read_edges(path)


def test_friends_follow_each_other_once() -> None:
    made = make().from_edges(EDGES, posts=0)
    assert len(made.people) == 4
    place = {person.id: number for number, person in enumerate(made.people)}
    follows = [(place[follow.follower_id], place[follow.followed_id]) for follow in made.follows]
    assert sorted(follows) == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 3), (3, 2)]


def test_the_same_seed_makes_the_same_network() -> None:
    one, same, other = (make(seed).generated(20, posts=40, demo=False) for seed in (1, 1, 2))
    assert one == same
    assert [post.text for post in one.posts] != [post.text for post in other.posts]


def test_there_is_what_was_asked_for_and_the_demo_account_first(network: DemoNetwork) -> None:
    assert (len(network.people), len(network.posts)) == (120, 600)
    assert [person.username for person in network.people].index(DEMO_USERNAME) == 0
    assert network.likes and network.comments and network.conversations and network.messages
    demo_id = network.people[0].id
    assert any(follow.follower_id == demo_id for follow in network.follows)
    assert any(demo_id in (talk.direct_low, talk.direct_high) for talk in network.conversations)


def test_nothing_has_the_id_of_another_and_ids_follow_time(network: DemoNetwork) -> None:
    made = [
        *((person.created_at, person.id) for person in network.people),
        *((message.created_at, message.id) for message in network.messages),
    ]
    ids = [made_id for _, made_id in made]
    ids += [post.id for post in network.posts] + [comment.id for comment in network.comments]
    ids += [talk.id for talk in network.conversations]
    assert len(set(ids)) == len(ids)
    for (earlier, smaller), (later, larger) in itertools.pairwise(sorted(made)):
        if int(earlier.timestamp() * 1000) < int(later.timestamp() * 1000):
            assert smaller < larger
    assert max(made)[0] <= NOON
    assert ms_of_id(max(ids)) <= unix_ms(NOON)


def test_people_are_such_as_could_have_registered(network: DemoNetwork) -> None:
    graph_people = make().from_edges(EDGES, posts=0).people
    for person in (*network.people, *graph_people):
        Register.model_validate(
            {
                "username": person.username,
                "email": person.email,
                "password": "a long enough passphrase",
                "display_name": person.display_name,
            }
        )
    assert len({person.username.lower() for person in network.people}) == len(network.people)


def test_follows_and_likes_are_pairs_that_may_stand(network: DemoNetwork) -> None:
    pairs = [(follow.follower_id, follow.followed_id) for follow in network.follows]
    assert len(set(pairs)) == len(pairs)
    assert all(follower != followed for follower, followed in pairs)
    likes = [(like.post_id, like.user_id) for like in network.likes]
    assert len(set(likes)) == len(likes)


def test_some_have_many_followers(network: DemoNetwork) -> None:
    followers = Counter(follow.followed_id for follow in network.follows)
    assert max(followers.values()) > 3 * len(network.follows) / len(network.people)


def test_texts_are_such_as_could_have_been_sent(network: DemoNetwork) -> None:
    assert all(0 < len(post.text) <= POST_CHARS for post in network.posts)
    assert all((post.kind == "link") is (post.link is not None) for post in network.posts)
    assert all(0 < len(comment.text) <= COMMENT_CHARS for comment in network.comments)
    assert all(0 < len(message.text) <= MESSAGE_CHARS for message in network.messages)


def test_a_comment_comes_after_its_post(network: DemoNetwork) -> None:
    assert all(ms_of_id(comment.post_id) <= ms_of_id(comment.id) for comment in network.comments)


def test_conversations_are_numbered_without_holes(network: DemoNetwork) -> None:
    for talk in network.conversations:
        messages = [message for message in network.messages if message.conversation_id == talk.id]
        assert [message.seq for message in messages] == list(range(1, talk.last_seq + 1))
        assert [message.id for message in messages] == sorted(message.id for message in messages)
        assert messages[-1].id == talk.last_activity_id
        pair = {talk.direct_low, talk.direct_high}
        assert {message.sender_id for message in messages} <= pair
        members = [member for member in network.members if member.conversation_id == talk.id]
        assert {member.user_id for member in members} == pair and len(members) == 2
        assert all(0 <= member.read_seq <= member.delivered_seq == talk.last_seq for member in members)


def test_few_people_are_no_difficulty() -> None:
    alone = make().generated(1, posts=3, demo=False)
    assert (len(alone.people), len(alone.follows), len(alone.posts)) == (1, 0, 3)
    assert make().generated(2, posts=0, demo=True).posts == []
