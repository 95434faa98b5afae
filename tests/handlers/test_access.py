import itertools

import asyncpg
import pytest

from handlers.access import (
    may_delete_comment,
    may_message,
    may_see_comment,
    may_see_content,
    may_see_person,
    require_allowed,
    require_visible,
)
from realtime.contract.errors import FORBIDDEN, NOT_FOUND, CommandError
from sql.people import RelationRow

SELF = RelationRow(is_self=True, follows=False, followed_by=False, blocks=False, blocked_by=False)
STRANGER = SELF._replace(is_self=False)
FOLLOWER = STRANGER._replace(follows=True)
BLOCKER = STRANGER._replace(blocks=True)
BLOCKED = STRANGER._replace(blocked_by=True)


def test_only_the_blocked_do_not_see_a_person() -> None:
    seeing = {SELF: True, STRANGER: True, FOLLOWER: True, BLOCKER: True, BLOCKED: False}
    assert {relation: may_see_person(relation) for relation in seeing} == seeing


@pytest.mark.parametrize(
    ("visibility", "seen_by"),
    [
        ("public", {SELF, STRANGER, FOLLOWER}),
        ("followers", {SELF, FOLLOWER}),
        ("private", {SELF}),
    ],
)
def test_who_may_see_a_published_object(visibility: str, seen_by: set[RelationRow]) -> None:
    readers = {SELF, STRANGER, FOLLOWER, BLOCKER, BLOCKED}
    assert {reader for reader in readers if may_see_content(reader, visibility)} == seen_by


@pytest.mark.parametrize("visibility", ["public", "followers"])
def test_what_a_private_account_publishes_is_for_its_followers(visibility: str) -> None:
    readers = [reader._replace(followers_only=True) for reader in (SELF, STRANGER, FOLLOWER, BLOCKER, BLOCKED)]
    assert [may_see_content(reader, visibility) for reader in readers] == [True, False, True, False, False]


@pytest.mark.parametrize("visibility", ["public", "followers", "private"])
def test_a_block_in_any_direction_outweighs_every_follow(visibility: str) -> None:
    for follows, followed_by in itertools.product([False, True], repeat=2):
        for blocks, blocked_by in [(True, False), (False, True), (True, True)]:
            relation = RelationRow(False, follows, followed_by, blocks, blocked_by)
            assert not may_see_content(relation, visibility)
            assert not may_see_comment(relation)
            assert not may_message(relation)


async def test_sql_filters_lists_by_the_same_rule(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        for visibility in ("public", "followers", "private"):
            for case in itertools.product([False, True], repeat=5):
                said = await connection.fetchval("SELECT may_see_content($1, $2, $3, $4, $5, $6)", visibility, *case)
                is_self, follows, blocks, blocked_by, followers_only = case
                relation = RelationRow(is_self, follows, False, blocks, blocked_by, followers_only=followers_only)
                assert said == may_see_content(relation, visibility), (visibility, relation)
    finally:
        await connection.close()


def test_comments_need_no_follow() -> None:
    assert all(may_see_comment(reader) for reader in (SELF, STRANGER, FOLLOWER))


def test_a_user_cannot_message_themselves() -> None:
    assert not may_message(SELF)
    assert may_message(STRANGER)


def test_a_comment_is_deleted_by_its_author_or_by_the_author_of_the_post() -> None:
    assert may_delete_comment(author=SELF, post_author=STRANGER)
    assert may_delete_comment(author=STRANGER, post_author=SELF)
    assert not may_delete_comment(author=FOLLOWER, post_author=FOLLOWER)


def test_refusals_are_not_found_for_the_hidden_and_forbidden_for_the_visible() -> None:
    require_visible(True)
    require_allowed(True)
    with pytest.raises(CommandError) as hidden:
        require_visible(False)
    assert hidden.value.code is NOT_FOUND
    with pytest.raises(CommandError) as refused:
        require_allowed(False)
    assert refused.value.code is FORBIDDEN
