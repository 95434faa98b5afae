"""What a client says that it sends and takes, in the words of HTTP."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web

from realtime.contract.errors import INVALID_PAYLOAD, CommandError
from realtime.contract.rest import FORM_TYPES

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"


def takes(request: web.Request, kind: str) -> bool:
    """Whether the `Accept` of a request allows a media type; True without one. The most exact range in it counts."""
    weights = dict(_weighted(request.headers.get(hdrs.ACCEPT, "").strip() or "*/*"))
    ranges = (kind, f"{kind.partition('/')[0]}/*", "*/*")
    return next((weights[one] for one in ranges if one in weights), 0.0) > 0


def takes_gzip(request: web.Request) -> bool:
    """Whether the `Accept-Encoding` of a request names gzip."""
    codings = _weighted(request.headers.get(hdrs.ACCEPT_ENCODING, ""))
    return any(coding == "gzip" and weight > 0 for coding, weight in codings)


def sends_readable_body(request: web.Request, *, takes_forms: bool) -> bool:
    """Whether a body is of a type that is understood; True without a body, and where its type is not told."""
    kind = request.content_type  # "application/octet-stream" without the header: bytes of an unknown type
    return (
        not request.can_read_body
        or kind in (JSON, "application/octet-stream")
        or kind.endswith("+json")
        or (takes_forms and kind in FORM_TYPES)
    )


def not_acceptable(kind: str) -> CommandError:
    return CommandError(INVALID_PAYLOAD, f"This is answered as {kind}: let Accept allow it.")


def unsupported_type() -> CommandError:
    return CommandError(INVALID_PAYLOAD, "Bodies are JSON: send them as application/json.")


def _weighted(header: str) -> list[tuple[str, float]]:
    """The options of such a header with their weights; 0: none of it. A weight that cannot be read is 1."""
    found = []
    for part in header.lower().split(","):
        option, *parameters = (one.strip() for one in part.split(";"))
        weight = next((one.removeprefix("q=") for one in parameters if one.startswith("q=")), "1")
        try:
            found.append((option, float(weight)))
        except ValueError:
            found.append((option, 1.0))
    return found
