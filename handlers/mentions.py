"""The people whom a text mentions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from handlers.access import may_see_person
from handlers.accounts.identifiers import USERNAME_PATTERN
from handlers.case_folding import folded
from handlers.context import Context
from handlers.text.mentions import MentionSpan
from sql.people import NamedPersonRow

_USERNAME: Final = re.compile(USERNAME_PATTERN)


async def people_mentioned(ctx: Context, mentions: Sequence[MentionSpan]) -> list[NamedPersonRow]:
    """Those of the mentioned whom the author of the text, the caller, may see: once each, in the order of the text.

    Dots are parts of usernames, but also ends of sentences: a mention is of the longest name that somebody has.
    """
    names = {name for mention in mentions for name in _names_in(mention)}
    if not names:
        return []
    rows = await ctx.db.people.find_people(viewer_id=ctx.user_id, usernames=sorted(names))
    people = {row.username_folded: row for row in rows if may_see_person(row.viewer)}
    found = (next((people[name] for name in _names_in(each) if name in people), None) for each in mentions)
    return list(dict.fromkeys(person for person in found if person is not None))


def _names_in(mention: MentionSpan) -> Iterator[str]:
    """The usernames that this may be, folded, the longest first."""
    parts = mention.name.split(".")
    for count in range(len(parts), 0, -1):
        name = ".".join(parts[:count])
        if _USERNAME.fullmatch(name):
            yield folded(name)
