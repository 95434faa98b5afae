from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.transports.events.cursor import Position, moved, read_cursor, write_cursor

names = st.text(st.sampled_from("abcXYZ019.-_"), min_size=1, max_size=30)
positions = st.lists(st.builds(Position, names, st.none() | names), min_size=1, max_size=6)


@given(positions)
def test_a_cursor_holds_its_positions(written: list[Position]) -> None:
    assert read_cursor(write_cursor(written), len(written)) == written
    assert read_cursor(write_cursor(written), len(written) + 1) is None


def test_positions_move_where_something_came() -> None:
    held = {"/chat": Position("a", "a.1"), "/feed": Position("b", None)}
    assert moved(held, {"/chat": "a.2"}) == [Position("a", "a.2"), Position("b", None)]
