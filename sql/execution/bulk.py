"""Writes many rows at once, by COPY, to fill a database."""

import datetime
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sql.database import UnitDatabase
from sql.errors import DRIVER_ERRORS, raise_translated


class PersonRecord(NamedTuple):
    id: int
    username: str
    username_folded: str
    email: str
    email_folded: str
    password_hash: str
    display_name: str
    bio: str
    created_at: datetime.datetime
    last_active_at: datetime.datetime
    follower_count: int = 0
    following_count: int = 0
    post_count: int = 0
    followers_post_count: int = 0
    public_post_count: int = 0
    is_broadcaster: bool = False


class FollowRecord(NamedTuple):
    follower_id: int
    followed_id: int


class PostRecord(NamedTuple):
    id: int
    author_id: int
    kind: str
    text: str
    link: str | None
    like_count: int = 0
    comment_count: int = 0
    last_comment_id: int = 0


class LikeRecord(NamedTuple):
    post_id: int
    user_id: int


class CommentRecord(NamedTuple):
    id: int
    post_id: int
    author_id: int
    text: str


class ConversationRecord(NamedTuple):
    id: int
    kind: str
    direct_low: int
    direct_high: int
    last_seq: int
    rev: int
    last_activity_id: int
    created_at: datetime.datetime


class MemberRecord(NamedTuple):
    conversation_id: int
    user_id: int
    read_seq: int
    delivered_seq: int


class MessageRecord(NamedTuple):
    conversation_id: int
    seq: int
    rev: int
    id: int
    sender_id: int
    text: str
    created_at: datetime.datetime


class LoginSessionRecord(NamedTuple):
    id: int
    user_id: int
    user_agent: str


class RefreshTokenRecord(NamedTuple):
    token_hash: bytes
    session_id: int
    expires_at: datetime.datetime


Record = (
    PersonRecord
    | FollowRecord
    | PostRecord
    | LikeRecord
    | CommentRecord
    | ConversationRecord
    | MemberRecord
    | MessageRecord
    | LoginSessionRecord
    | RefreshTokenRecord
)

TABLES: dict[type[Record], str] = {
    PersonRecord: "users",
    FollowRecord: "follows",
    PostRecord: "posts",
    LikeRecord: "post_likes",
    CommentRecord: "comments",
    ConversationRecord: "conversations",
    MemberRecord: "conversation_members",
    MessageRecord: "messages",
    LoginSessionRecord: "login_sessions",
    RefreshTokenRecord: "refresh_tokens",
}


STAMPS: dict[type[Record], tuple[str, ...]] = {
    PersonRecord: ("changed",),
    PostRecord: ("changed",),
    ConversationRecord: ("changed",),
    MemberRecord: ("changed", "membership_changed"),
    MessageRecord: ("changed",),
}
"""The columns that have the stamp of the transaction."""


async def copy_records(db: UnitDatabase, kind: type[Record], records: Iterable[Record]) -> None:
    """Stores records of one kind; columns without a field in the record get the defaults of the table.

    Raises UniqueViolated or ForeignKeyMissing; then none of these records is stored.
    """
    stamps = STAMPS.get(kind, ())
    rows: Iterable[Sequence[object]] = records
    if stamps:  # asked once: the default of the table would be for each row, and takes as long as the row itself
        stamped = (await db.network.change_stamp(),) * len(stamps)
        rows = ((*record, *stamped) for record in records)
    try:
        await db.connection.copy_records_to_table(TABLES[kind], records=rows, columns=[*kind._fields, *stamps])
    except DRIVER_ERRORS as error:
        raise_translated(error)
