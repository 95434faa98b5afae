"""The wire models of polls."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from realtime.contract.wire import Model, Payload, TextRule

OPTIONS_MIN: Final = 2
OPTIONS_MAX: Final = 6
OPTION_CHARS: Final = 80
SHORTEST_S: Final = 60
LONGEST_S: Final = 30 * 86_400


def _all_different(options: list[str]) -> list[str]:
    if len(set(options)) < len(options):
        raise ValueError("must all be different")
    return options


class NewPoll(Payload):
    """A question to the readers of a post, whose text asks it; nothing of it can be changed afterwards."""

    options: Annotated[
        list[Annotated[str, TextRule(OPTION_CHARS)]],
        Field(min_length=OPTIONS_MIN, max_length=OPTIONS_MAX, json_schema_extra={"uniqueItems": True}),
        AfterValidator(_all_different),
    ]
    multiple: bool = False
    closes_in_s: Annotated[int, Field(ge=SHORTEST_S, le=LONGEST_S)]


class PollOption(Model):
    """`vote_count` is absent while the results are hidden from the reader."""

    text: str
    vote_count: int | None = None


class Poll(Model):
    """A poll as its reader may see it: the results show to its author, to who has voted, and to all once it is closed.

    `vote_count` is the number of people who have voted; with `multiple` one may choose several options.
    """

    options: list[PollOption]
    multiple: bool
    closes_at_ms: int
    vote_count: int
    closed: bool
