"""Lets pages of allowed origins read answers (the Fetch standard's CORS)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from aiohttp import hdrs, web

from realtime.engine.http.origins import OriginPolicy

_NAMES: Final = re.compile(r"[!#$%&'*+.^_`|~\w-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~\w-]+)*", re.ASCII)
_NAMES_MAX_CHARACTERS: Final = 2_000
_SECONDS_OF_A_DAY: Final = "86400"


def preflight(request: web.Request, *, methods: Sequence[str], headers: Sequence[str]) -> web.Response:
    """Grants these methods and headers to the page of an allowed origin, and the other headers that it asks for.

    Tools that trace requests add headers of their own; a header that nothing here reads does no harm.
    """
    asked = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "").strip()
    granted = ", ".join(headers)
    if len(asked) <= _NAMES_MAX_CHARACTERS and _NAMES.fullmatch(asked):
        granted += ", " + asked
    return web.Response(
        status=204,
        headers={
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: ", ".join(methods),
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: granted,
            hdrs.ACCESS_CONTROL_MAX_AGE: _SECONDS_OF_A_DAY,
        },
    )


def share_with_page(response: web.StreamResponse, origin: str | None, origins: OriginPolicy) -> None:
    """Lets the page of an allowed origin read the response; with credentials, if the operator's list names it."""
    varies = response.headers.get(hdrs.VARY)
    response.headers[hdrs.VARY] = f"{varies}, Origin" if varies else "Origin"
    if origin is not None:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        if origins.names(origin):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
