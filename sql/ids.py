"""The ids of all stored objects.

An id is 64 bits: milliseconds since 2024-01-01 UTC (42), shard (8), sequence (14). PostgreSQL makes it (`make_id()`).
Ids ascend with time, so an id is a cursor backwards. They are not in commit order, so an id is no cursor forwards.
"""

from typing import Final, NewType

UserId = NewType("UserId", int)
LoginSessionId = NewType("LoginSessionId", int)
FollowId = NewType("FollowId", int)
PostId = NewType("PostId", int)
BookmarkId = NewType("BookmarkId", int)
LikeId = NewType("LikeId", int)
CommentId = NewType("CommentId", int)
FactId = NewType("FactId", int)
ConversationId = NewType("ConversationId", int)
MessageId = NewType("MessageId", int)
ActivityId = NewType("ActivityId", int)

EPOCH_MS: Final = 1_704_067_200_000
"""2024-01-01 UTC in Unix milliseconds: the time of id 0."""

MAX_ID: Final = 2**63 - 1
"""Above every id: the first page reads what is before it."""

_TIME_SHIFT: Final = 22


def id_floor_ms(unix_ms: int) -> int:
    """The smallest id of a time in Unix milliseconds."""
    return max(unix_ms - EPOCH_MS, 0) << _TIME_SHIFT


def ms_of_id(value: int) -> int:
    """The time at which an id was made, in Unix milliseconds."""
    return (value >> _TIME_SHIFT) + EPOCH_MS
