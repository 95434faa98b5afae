"""What Schemathesis has to know beside the OpenAPI document. It runs in a process of its own: see test_openapi.py."""

from __future__ import annotations

from typing import Any

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import RejectedPositiveData

from tests.contract.beyond_schemas import is_beyond_schemas


@schemathesis.hook
def filter_failure(context: Any, failure: Failure, case: Any, response: Any) -> bool:
    """Whether a failure counts: not where a payload broke only rules that no schema can tell."""
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 422:
        return True
    return not is_beyond_schemas(response.json()["error"]["fields"])
