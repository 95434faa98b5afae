"""The identifiers of everything that is stored.

An id is 64 bits: milliseconds since 2024-01-01 UTC (42), shard (8), sequence (14). PostgreSQL makes it (`make_id()`).
It orders by time, so it is a cursor backwards; ids are not in commit order, so it is none forwards.
"""

from typing import Final, NewType

UserId = NewType("UserId", int)
LoginSessionId = NewType("LoginSessionId", int)
FollowId = NewType("FollowId", int)
PostId = NewType("PostId", int)
LikeId = NewType("LikeId", int)
CommentId = NewType("CommentId", int)
FactId = NewType("FactId", int)
ConversationId = NewType("ConversationId", int)
MessageId = NewType("MessageId", int)
ActivityId = NewType("ActivityId", int)

EPOCH_MS: Final = 1_704_067_200_000
"""2024-01-01 UTC in Unix milliseconds: the time of id 0."""

MAX_ID: Final = 2**63 - 1
"""Above every id: a page that starts at the newest item asks for what is before this."""

_TIME_SHIFT: Final = 22


def id_floor_ms(unix_ms: int) -> int:
    """The smallest id that can have been made at this time, in Unix milliseconds."""
    return max(unix_ms - EPOCH_MS, 0) << _TIME_SHIFT


def ms_of_id(value: int) -> int:
    """When an id was made, in Unix milliseconds."""
    return (value >> _TIME_SHIFT) + EPOCH_MS
