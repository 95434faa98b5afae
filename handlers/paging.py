"""Pages of lists. A query reads one row more than the page holds; that row shows that there is a next page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from realtime.contract.wire import PAGE_LIMIT_DEFAULT

RowT = TypeVar("RowT")


def rows_wanted(limit: int | None) -> int:
    """The number of rows that a query has to read for a page of `limit` items; None: the default."""
    return (limit or PAGE_LIMIT_DEFAULT) + 1


def cut_page(
    rows: Sequence[RowT], limit: int | None, cursor_of: Callable[[RowT], int]
) -> tuple[Sequence[RowT], str | None]:
    """The rows of the page, and the cursor of the next page; None when this is the last.

    The cursor is that of the page's last row: the next page begins after it, and neither skips nor repeats an item.
    """
    wanted = limit or PAGE_LIMIT_DEFAULT
    if len(rows) <= wanted:
        return rows, None
    page = rows[:wanted]
    return page, str(cursor_of(page[-1]))
