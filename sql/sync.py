"""What changed for a user since a position."""

from typing import NamedTuple, Protocol

from sql.execution.joining import joined
from sql.ids import UserId


class SyncPeekRow(NamedTuple):
    """The position of the read, and whether anything in each Collection can be stamped at or above another one."""

    position: int
    """Everything stamped below it was committed before the read, and can be seen by it."""
    history: int
    """Of the database: positions of another one mean nothing in this."""
    me: bool
    relations: bool
    feed: bool
    conversations: bool
    """Their messages too."""
    bookmarks: bool


class SyncQueries(Protocol):
    @joined
    async def peek(self, *, viewer_id: UserId, after: int) -> SyncPeekRow | None:
        """None: there is no such user."""
        ...
