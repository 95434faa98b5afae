from hypothesis import given
from hypothesis import strategies as st

from handlers.paging import cut_page, rows_wanted


@given(length=st.integers(0, 60), limit=st.one_of(st.none(), st.integers(1, 25)))
def test_pages_joined_are_the_whole_list(length: int, limit: int | None) -> None:
    newest_first = list(range(length, 0, -1))
    seen: list[int] = []
    before = length + 1
    while True:
        rows = [row for row in newest_first if row < before][: rows_wanted(limit)]
        page, cursor = cut_page(rows, limit, lambda row: row)
        seen += page
        if cursor is None:
            break
        assert len(page) == (limit or 20)
        before = int(cursor)
    assert seen == newest_first


def test_a_full_last_page_has_no_next_one() -> None:
    assert cut_page([3, 2, 1], 3, lambda row: row) == ([3, 2, 1], None)
