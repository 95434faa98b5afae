"""The size limit of a command, from the limits of its fields."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field

from realtime.contract.payload_size import (
    BYTES_BESIDE,
    BYTES_PER_CHARACTER,
    LEAST_BYTES,
    MOST_BYTES,
    payload_limit_bytes,
)
from realtime.contract.wire import Empty, Id, PageLimit, Payload, TextRule

Long = Annotated[str, TextRule(5_000, lines=True)]
Key = Annotated[str, Field(pattern="^[a-z]{1,40}$")]


class Post(Payload):
    text: Long
    other: Long | int | None = None
    kind: Literal["a", "bc"] = "a"
    thing_id: Id
    flag: bool = False
    limit: PageLimit | None = None


class Options(Payload):
    options: Annotated[list[Annotated[str, TextRule(1_000)]], Field(max_length=5)]
    named: Annotated[dict[Key, Long], Field(max_length=2)]
    post: Post | None = None


class Book(Payload):
    pages: Annotated[list[Long], Field(max_length=100)]


class AnyText(Payload):
    text: str


class AnyList(Payload):
    ids: list[Id]


class AnyNames(Payload):
    named: dict[str, int]


def limit_of(chars: int) -> int:
    return chars * BYTES_PER_CHARACTER + BYTES_BESIDE


def test_a_limit_follows_from_the_fields() -> None:
    post = 2 * 5_000 + 2 + 16 + 2 * 20
    assert payload_limit_bytes(Post) == limit_of(post)
    assert payload_limit_bytes(Options) == limit_of(5 * 1_000 + 2 * (16 + 5_000) + post)


def test_a_limit_has_bounds() -> None:
    assert payload_limit_bytes(Empty) == LEAST_BYTES == 65_536
    assert payload_limit_bytes(Book) == MOST_BYTES < 1_000_000


@pytest.mark.parametrize("payload", [AnyText, AnyList, AnyNames])
def test_a_field_without_a_limit_is_refused(payload: type[Payload]) -> None:
    with pytest.raises(ValueError, match="no limit"):
        payload_limit_bytes(payload)
