"""Answers that are put together from encoded parts are the bytes that the whole model would be."""

from __future__ import annotations

import pytest

from realtime.contract.encoded import Encoded, encode_answer, encoded_page, json_of
from realtime.contract.wire import Model, Page, encode_model


class Thing(Model):
    name: str


class Snapshot(Page[Thing]):
    position: str


THINGS = [Thing(name="a"), Thing(name='"\u00e9\U0001f426')]


def test_an_answer_may_be_encoded_already() -> None:
    thing = Thing(name="a")
    assert encode_answer(thing) == encode_answer(Encoded[Thing](encode_model(thing))) == b'{"name":"a"}'


@pytest.mark.parametrize("things", [[], THINGS[:1], THINGS])
@pytest.mark.parametrize("next_cursor", [None, "12"])
def test_a_page_is_made_of_encoded_items(things: list[Thing], next_cursor: str | None) -> None:
    items = [encode_model(thing) for thing in things]
    page = Page[Thing](items=things, next_cursor=next_cursor)
    assert encoded_page(Page[Thing], items, next_cursor).json == encode_model(page)
    snapshot = Snapshot(items=things, next_cursor=next_cursor, position='p"1')
    assert encoded_page(Snapshot, items, next_cursor, position=json_of('p"1')).json == encode_model(snapshot)
