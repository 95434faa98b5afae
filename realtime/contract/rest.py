"""How HTTP requests name the fields of a command: shared by the REST API and by what describes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from realtime.contract.declarations import Access, Command, Route
from realtime.contract.rate_limit import RateLimit

API_PREFIXES: Final = ("/v1", "/api/v1")
"""The same routes twice; the second prefix is for older clients."""
CALLER: Final = "caller_id"
IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
"""Another way to give the `client_id` of what is created."""
URL_ENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
FORM_TYPES: Final = (URL_ENCODED, MULTIPART)

PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
"""A field in a path."""
EVENT_CALLS: Final = RateLimit(count=300, per_s=60)
"""Polls, streams and tickets of a user together."""
EVENT_WAIT_S: Final = 50
"""How long a poll waits at most: proxies and routers close connections that are silent for a minute."""
TICKET_TTL_S: Final = 60


def takes_body(route: Route) -> bool:
    """Whether fields that are not in the path stand in the body; else in the query."""
    return route.with_body or route.method in ("POST", "PUT", "PATCH")


def path_fields(route: Route) -> Sequence[str]:
    """The placeholders of the path, in order."""
    return PLACEHOLDER.findall(route.path)


def caller_fields(route: Route, command: Command[Any, Any]) -> frozenset[str]:
    """The fields of this route that may only hold the caller's own id; none where nobody needs to be logged in."""
    if command.access is Access.ANYONE:
        return frozenset()
    return frozenset(route.caller_fields).difference(command.payload.model_fields.keys() - set(path_fields(route)))
