"""Commands of words that hide, and the Fact of their end."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from realtime.contract.declarations import Command, Fact, Repeat, Route
from realtime.contract.errors import CONFLICT
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import WHOLE, Empty, Model, Payload, TextRule, WireId

NAMESPACE = "/users"
FILTERS_MAX = 100
"""Of one user."""
PHRASE_CHARS = 100

Phrase = Annotated[
    str,
    TextRule(PHRASE_CHARS),
    Field(description="One or more words; upper and lower case are the same, and so are numbers of spaces."),
]
EndMs = Annotated[int, Field(ge=0, le=253_402_300_799_000), WHOLE]
"""At the latest the end of the year 9999."""


class WordFilter(Model):
    """`until_ms` is absent for a filter without an end."""

    phrase: str
    until_ms: int | None = None


class WordFilters(Model):
    filters: list[WordFilter]


class SetFilter(Payload):
    """Without `until_ms` the filter has no end, whatever it had before."""

    phrase: Phrase
    until_ms: EndMs | None = None


class RemoveFilter(Payload):
    phrase: Phrase


class FilterOwner(Model):
    user_id: WireId


FILTER_ENDED = Fact(name="filter.ended", model=FilterOwner, key="user_id")

FILTER_LIST = Command(
    name="filter:list",
    namespace=NAMESPACE,
    payload=Empty,
    ack=WordFilters,
    effect="Lists the caller's words that hide.",
    repeat=Repeat.READ,
    rate=RateLimit(600, 60),
    routes=(Route("GET", "/users/me/filters"),),
)

FILTER_SET = Command(
    name="filter:set",
    namespace=NAMESPACE,
    payload=SetFilter,
    ack=WordFilters,
    effect=(
        "Hides posts of others from the caller's feed, and comments of others with the replies below them, where they "
        "have these words; at read and live. Whole words count, single characters in scripts without spaces. The feed "
        f"is to be read anew. `conflict` beyond {FILTERS_MAX} filters."
    ),
    repeat=Repeat.SETS_STATE,
    rate=RateLimit(60, 60),
    example={"phrase": "season finale", "until_ms": 4_102_444_800_000},
    errors=(CONFLICT,),
    routes=(Route("PUT", "/users/me/filters"),),
)

FILTER_REMOVE = Command(
    name="filter:remove",
    namespace=NAMESPACE,
    payload=RemoveFilter,
    ack=WordFilters,
    effect="Removes words that hide; the answer is the same where there were none. The feed is to be read anew.",
    repeat=Repeat.SETS_STATE,
    rate=RateLimit(60, 60),
    example={"phrase": "season finale"},
    routes=(Route("DELETE", "/users/me/filters"),),
)
