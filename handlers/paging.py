"""Pages of lists: one row more than asked for is read, and tells whether there is a next page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from realtime.contract.wire import PAGE_LIMIT_DEFAULT

RowT = TypeVar("RowT")


def rows_wanted(limit: int | None) -> int:
    """How many rows a query has to read for a page of `limit` items; None is the default page."""
    return (limit or PAGE_LIMIT_DEFAULT) + 1


def cut_page(
    rows: Sequence[RowT], limit: int | None, cursor_of: Callable[[RowT], int]
) -> tuple[Sequence[RowT], str | None]:
    """The rows of the page, and the cursor of the next one; None when this is the last.

    The cursor is that of the last row shown, so a page that begins after it neither skips nor repeats an item.
    """
    wanted = limit or PAGE_LIMIT_DEFAULT
    if len(rows) <= wanted:
        return rows, None
    page = rows[:wanted]
    return page, str(cursor_of(page[-1]))
