"""Rules for new passwords."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from handlers.case_folding import folded
from realtime.contract.wire import TextRule

PASSWORD_CHARS_MIN: Final = 8
PASSWORD_CHARS_MAX: Final = 256
"""At most 1,024 bytes in UTF-8, the most that the hasher takes."""

MOST_USED: Final[frozenset[str]] = frozenset(FREQUENCY_LISTS["passwords"][:10_000])
"""Without upper case, from the list of leaked passwords in zxcvbn."""


def _refuse_most_used(value: str) -> str:
    if folded(value) in MOST_USED:
        raise ValueError("is one of the most used passwords")
    return value


NewPassword = Annotated[
    str,
    TextRule(PASSWORD_CHARS_MAX, shortest=PASSWORD_CHARS_MIN),
    AfterValidator(_refuse_most_used),
    Field(description="Not one of the 10,000 most used ones."),
]
TypedPassword = Annotated[str, TextRule(PASSWORD_CHARS_MAX)]
"""A password to compare with the stored one: today's rules do not apply, so that nobody is locked out."""
