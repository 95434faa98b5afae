"""Rules for payloads that their schemas do not tell, each with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

BEYOND_SCHEMAS: Final[Mapping[str, str]] = {
    "must be one that was made for this account": "cursors are sealed by the server",
    "there is no such message": "depends on what is stored",
    r"the last message is \d+": "depends on what is stored",
    "takes before_seq or after_seq, not both": "OpenAPI has no rule over two fields of a query",
    "Idempotency-Key and client_id are not the same": "OpenAPI has no rule over a header and a body",
    "must be a phone number .+": "numbers are those of a numbering plan",
    "(?:An email address|The email address|The part after the @-sign|The domain name) .+": "many rules, of domains too",
    "is reserved": "a list of names, however they are written",
    "is one of the most used passwords": "a list of 10,000",
    r"must have at most \d+ (?:hashtags|mentions)": "a text has to be searched for them",
    "must have at least 1 characters": "a pattern of all characters that cannot be seen is too long to read",
}
"""The reasons by the fault that a request which breaks the rule is told, as a pattern."""

_ANY: Final = re.compile("|".join(f"(?:{fault})" for fault in BEYOND_SCHEMAS))


def is_beyond_schemas(faults: Mapping[str, str]) -> bool:
    """Whether no schema could have told any of these faults."""
    return all(_ANY.fullmatch(fault) for fault in faults.values())
