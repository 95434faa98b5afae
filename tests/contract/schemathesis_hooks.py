"""What Schemathesis has to know beside the OpenAPI document: rules that JSON Schema cannot say. See test_openapi.py."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import RejectedPositiveData

BEYOND_SCHEMAS: Final[Mapping[str, str]] = {
    "must be one that was made for this account": "cursors are sealed by the server",
    "there is no such message": "depends on what is stored",
    r"the last message is \d+": "depends on what is stored",
    "takes before_seq or after_seq, not both": "OpenAPI has no rule over two fields of a query",
    "Idempotency-Key and client_id are not the same": "OpenAPI has no rule over a header and a body",
    "must be a phone number .+": "numbers are those of a numbering plan",
    "An email address .+|The part after the @-sign .+|.+ is a special-use or reserved name .+": "the rules of e-mail",
    "is reserved": "a list of names, however they are written",
    "is one of the most used passwords": "a list of 10,000",
    "must have at least 1 characters": "a pattern of all characters that cannot be seen is too long to read",
}
"""Faults of a payload that fits its schema, each with the reason why the schema does not tell it."""

_KNOWN: Final = re.compile("|".join(f"(?:{fault})" for fault in BEYOND_SCHEMAS))


@schemathesis.hook
def filter_failure(context: Any, failure: Failure, case: Any, response: Any) -> bool:
    """Whether a failure counts: not where every fault that the server found is one that no schema can tell."""
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 422:
        return True
    faults: Mapping[str, str] = response.json()["error"]["fields"]
    return not all(_KNOWN.fullmatch(fault) for fault in faults.values())
