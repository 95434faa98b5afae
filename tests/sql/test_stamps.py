"""Reads all SQL: a change that readers see moves its stamps, and nothing else does.

A forgotten stamp is a change that no client hears of after an absence; a stamp that a counter moves makes every like a
change of the post, and an index that is written each time.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pytest

from sql.database import aggregates
from sql.execution.binding import read_queries
from sql.migrate import MIGRATIONS
from tests.sql.world import World, changing_message


class Stamped(NamedTuple):
    """A table whose rows are stamped. Each of its columns is a stamp, or moves some, or is free."""

    moved_by: Mapping[str, frozenset[str]]
    """The columns that move a stamp, by stamp."""
    free: frozenset[str]
    """Counters, and what no Collection shows."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OF_A_POST = _names(
    "id author_id kind text link entities visibility hidden_by visibility_if_shown replies sensitive was_shown"
    " shared_id client_id edited_at deleted_at"
    " poll_options poll_multiple poll_closes_at poll_end_told"
)
_OF_A_MESSAGE = _names("conversation_id seq id sender_id text reply_to_seq client_id created_at edited_at deleted_at")
_OF_A_CONVERSATION = _names("title last_seq rev last_activity_id")
_OF_A_CARD = _names("id username username_folded display_name bio profile is_private created_at")

STAMPED: Mapping[str, Stamped] = {
    "posts": Stamped(
        moved_by={"version": _OF_A_POST, "changed": _OF_A_POST},
        free=_names("like_count comment_count share_count last_comment_id poll_counts poll_voter_count"),
    ),
    "messages": Stamped(moved_by={"rev": _OF_A_MESSAGE, "changed": _OF_A_MESSAGE}, free=frozenset()),
    "conversations": Stamped(
        moved_by={"changed": _OF_A_CONVERSATION},
        free=_names("id kind direct_low direct_high created_at"),
    ),
    "conversation_members": Stamped(
        moved_by={
            "changed": _names("read_seq muted role joined_at membership_changed"),
            "membership_changed": _names("joined_at"),
        },
        free=_names("conversation_id user_id delivered_seq"),
    ),
    "bookmarks": Stamped(
        moved_by={"changed": _names("user_id post_id author_id id removed_at")},
        free=frozenset(),
    ),
    "users": Stamped(
        moved_by={
            "version": _OF_A_CARD | _names("settings"),
            "changed": _OF_A_CARD | _names("email email_folded phone settings role"),
        },
        free=_names(
            "password_hash follower_count following_count follow_version post_count followers_post_count"
            " public_post_count is_broadcaster last_active_at audience_changed published_changed"
            # Nobody sees a user who is hidden: published_changed tells it.
            " suspended_at deletion_asked_at is_hidden erased_at"
        ),
    ),
}

SHOWS_ANOTHER = frozenset({"shares.change_shares"})
"""What is read with a row changed in another one."""

NEVER_UPDATED = frozenset({"messages"})
"""No command edits or deletes a message yet."""

NOTED_IN: Mapping[str, str] = {"follows": "relation_changes", "blocks": "relation_changes"}
"""Tables whose rows come and go, and where that is noted."""

_COMMENT = re.compile(r"--[^\n]*")
_FUNCTION = re.compile(r"CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE) (\w+)")
_UPDATE = re.compile(r"\bUPDATE\s+(?:ONLY\s+)?(\w+)(?:\s+(?:AS\s+)?(?!SET\b)\w+)?\s+SET\b", re.IGNORECASE)
_UPSERT = re.compile(r"\bINSERT\s+INTO\s+(\w+)\b(?:(?!\bINSERT\b).)*?\bDO\s+UPDATE\s+SET\b", re.IGNORECASE | re.DOTALL)
_END = re.compile(r"\b(?:FROM|WHERE|RETURNING)\b|;", re.IGNORECASE)
_COMES_OR_GOES = re.compile(r"\b(?:INSERT\s+INTO|DELETE\s+FROM)\s+(\w+)", re.IGNORECASE)


class Update(NamedTuple):
    where: str
    table: str
    columns: frozenset[str]


def statements() -> Iterator[tuple[str, str]]:
    """The text of each query, and of each function of the migrations, by name and without comments."""
    for aggregate in aggregates():
        for query in read_queries(aggregate).values():
            yield f"{aggregate}.{query.name}", _COMMENT.sub("", query.sql)
    for path in sorted(MIGRATIONS.glob("*.sql")):
        for part in re.split(r"\n(?=CREATE )", _COMMENT.sub("", path.read_text())):
            if function := _FUNCTION.match(part):
                yield function[1], part


def updates(where: str, text: str) -> Iterator[Update]:
    for pattern in (_UPDATE, _UPSERT):
        for found in pattern.finditer(text):
            yield Update(where, found[1].lower(), assigned(text[found.end() :]))


def assigned(text: str) -> frozenset[str]:
    """The columns that a SET clause sets; the text begins behind SET."""
    columns, begins, depth, place = set(), True, 0, 0
    while place < len(text):
        if depth == 0 and _END.match(text, place) and not text[place - 1].isalnum():
            break
        if begins and (found := re.compile(r"\s*(?:\(([^)]*)\)|(\w+))\s*=").match(text, place)):
            columns |= {name.strip().lower() for name in (found[1] or found[2]).split(",")}
            begins, place = False, found.end()
            continue
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth < 0:
            break
        begins = begins or (depth == 0 and text[place] == ",")
        place += 1
    return frozenset(columns)


def mistakes(update: Update) -> list[str]:
    """What is wrong with an update of a stamped table."""
    stamped = STAMPED.get(update.table)
    if stamped is None:
        return []
    return [
        f"{update.where} {'forgets' if must else 'moves'} {update.table}.{stamp}"
        for stamp, columns in stamped.moved_by.items()
        if (must := update.where in SHOWS_ANOTHER or bool(update.columns & columns)) != (stamp in update.columns)
    ]


def test_each_update_moves_the_stamps_that_it_has_to_and_no_other() -> None:
    found = [update for where, text in statements() for update in updates(where, text)]
    assert STAMPED.keys() - {update.table for update in found} == NEVER_UPDATED
    assert {"posts.update_post", "set_likes", "people.update_profile", "set_follows"} <= {each.where for each in found}
    assert [mistake for update in found for mistake in mistakes(update)] == []


@pytest.mark.parametrize("table", sorted(STAMPED))
async def test_each_column_is_known_to_be_seen_or_free(world: World, table: str) -> None:
    columns = await world.value(
        "SELECT array_agg(column_name::text) FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = $1",
        table,
    )
    stamped = STAMPED[table]
    moving = frozenset().union(*stamped.moved_by.values())
    assert moving | stamped.free | stamped.moved_by.keys() == set(columns)
    assert not moving & stamped.free


def test_whatever_comes_or_goes_is_noted_in_the_same_statement() -> None:
    changing = {
        where: tables
        for where, text in statements()
        if (tables := {table.lower() for table in _COMES_OR_GOES.findall(text)}) & NOTED_IN.keys()
    }
    assert changing.keys() >= {"set_follows", "graph.insert_block", "graph.delete_block", "graph.remove_follows"}
    for where, tables in changing.items():
        assert {NOTED_IN[table] for table in tables & NOTED_IN.keys()} <= tables, where


def test_a_message_changes_under_the_lock_of_its_conversation_and_with_its_rev() -> None:
    """The update of the row is the lock, and gives the rev: so the order of revs is the order of commits."""
    found = set()
    for where, text in statements():
        of_conversations = [each.columns for each in updates(where, text) if each.table == "conversations"]
        assert all("rev" in columns for columns in of_conversations if columns & _OF_A_CONVERSATION), where
        if "messages" in {each.table for each in updates(where, text)} | set(_COMES_OR_GOES.findall(text)):
            found.add(where)
            assert any("rev" in columns for columns in of_conversations), where
    assert found >= {"send_messages"}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("UPDATE posts SET text = :text, version = 2, changed = 3 WHERE id = 1", 0),
        ("UPDATE posts SET text = :text, version = 2 WHERE changed = 1", 1),
        ("UPDATE posts p SET deleted_at = now(), changed = change_stamp() FROM a", 1),
        ("UPDATE posts SET like_count = posts.like_count + 1, changed = change_stamp()", 1),
        ("UPDATE posts AS p\nSET like_count = (SELECT count(*) FROM a WHERE b), version = version + 1;", 1),
        ("UPDATE posts SET like_count = coalesce(a, 1), comment_count = 2 RETURNING version, changed", 0),
        ("WITH a AS (UPDATE posts SET (text, link) = ('', NULL)) SELECT changed, version", 2),
        ("INSERT INTO posts (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET text = excluded.text, version = 2", 1),
        ("SELECT p.id FROM posts p FOR NO KEY UPDATE OF p", 0),
        ("UPDATE users SET settings = '{}', changed = change_stamp()", 1),
        ("UPDATE users SET settings = '{}', version = 2, changed = change_stamp()", 0),
        (changing_message("edited_at = now()"), 0),
        ("UPDATE messages m SET deleted_at = now(), changed = change_stamp()", 1),
        ("UPDATE conversations SET rev = rev + 1", 1),
        ("UPDATE conversation_members SET delivered_seq = 1, changed = change_stamp()", 1),
    ],
)
def test_a_mistake_is_found(text: str, wrong: int) -> None:
    assert len([mistake for update in updates("here", text) for mistake in mistakes(update)]) == wrong
