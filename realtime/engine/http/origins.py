"""Which web pages may use this server, by the Origin that a browser sends for them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import structlog

from realtime.engine.http.proxies import X_FORWARDED_HOST, AnyRequest, TrustedProxies

ANY_ORIGIN: Final = "*"
ANY_PORT: Final = -1
REFUSALS_LOGGED_PER_MINUTE: Final = 10

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = r"(\[[0-9a-f:.]+\]|[^\[\]/?#@:\\\s]*)"
_ORIGIN: Final = re.compile(rf"([a-z][a-z0-9+.-]*)://{_HOST}(?::([0-9]{{1,5}}|\*))?")
_HOST_AND_PORT: Final = re.compile(rf"{_HOST}(?::([0-9]{{0,5}}))?")
_SHOWN_CHARACTERS: Final = 200

log = structlog.get_logger(__name__)


class Origin(NamedTuple):
    """In lower case. `port` is None where the scheme has no default one and none is named."""

    scheme: str
    host: str
    port: int | None


class AllowedOrigin(NamedTuple):
    """An origin, or a pattern of origins: `host` may begin with `*.`, `port` may be ANY_PORT."""

    scheme: str
    host: str
    port: int | None

    def matches(self, origin: Origin) -> bool:
        return (
            self.scheme == origin.scheme
            and self.port in (ANY_PORT, origin.port)
            and (self.host == origin.host or (self.host.startswith("*.") and origin.host.endswith(self.host[1:])))
        )


def read_allowed_origin(text: str) -> AllowedOrigin:
    """Reads an origin of an operator's list.

    `https://a.example`, `https://a.example:8443`, `https://*.a.example` (its subdomains, at any depth),
    `http://localhost:*` (any port), `capacitor://localhost`, `file://`. Raises ValueError, which says what is wrong.
    """
    lowered = text.lower()
    found = _ORIGIN.fullmatch(lowered)
    shown = "an origin" if "@" in text else text  # before an @ stands a password
    if lowered == "null":
        raise ValueError("null cannot be allowed: every sandboxed page of any site has this origin")
    if found is None:
        raise ValueError(f"{shown} must be an origin like https://a.example: a scheme and a host, no path, no user")
    scheme, host, port = found.groups()
    if not host and scheme != "file":
        raise ValueError(f"{shown} has no host")
    if not host.isascii():
        raise ValueError(f"{shown} must be written as browsers send it, the host in Punycode (xn--...)")
    if "*" in host.removeprefix("*."):
        raise ValueError(f"in {shown} a * may stand in the place of the first labels (https://*.a.example) or the port")
    if port == "*":
        return AllowedOrigin(scheme, host, ANY_PORT)
    if port is not None and not 0 < int(port) <= 65_535:
        raise ValueError(f"{shown} has no such port")
    return AllowedOrigin(scheme, host, int(port) if port else _DEFAULT_PORTS.get(scheme))


class OriginPolicy:
    """Allows the pages of this host and those of the origins on a list; requests without an Origin are from no page.

    `allowed` are origins as `read_allowed_origin` takes them, or "*", which allows all. The host that a page must be of
    is the one that its client asked for, as a trusted proxy tells it.
    """

    def __init__(
        self,
        allowed: Iterable[str] = (),
        proxies: TrustedProxies | None = None,
        *,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed = tuple(allowed)
        self._allows_any = ANY_ORIGIN in self._allowed
        self._listed = tuple(read_allowed_origin(text) for text in self._allowed if text != ANY_ORIGIN)
        self._proxies = proxies or TrustedProxies()
        self._clock_s = clock_s
        self._minute = 0.0
        self._logged_in_minute = 0
        self._left_out = 0

    def allows(self, request: AnyRequest) -> bool:
        text = request.headers.get("Origin")
        if text is None or self._allows_any:
            return True
        origin = _read_origin(text)
        return origin is not None and (self._is_listed(origin) or self._is_own(origin, request))

    def names(self, origin: str) -> bool:
        """Whether the origin is on the list, other than by "*"."""
        read = _read_origin(origin)
        return read is not None and self._is_listed(read)

    def log_refusal(self, request: AnyRequest) -> None:
        """Logs what the Origin of a refused request was compared to, for a limited number of requests a minute."""
        minute = self._clock_s() // 60
        if minute != self._minute:
            self._minute, self._logged_in_minute = minute, 0
        if self._logged_in_minute >= REFUSALS_LOGGED_PER_MINUTE:
            self._left_out += 1
            return
        self._logged_in_minute += 1
        asked = self._proxies.asked_host(request)
        log.warning(
            "origin_refused",
            origin=request.headers.get("Origin", "")[:_SHOWN_CHARACTERS],
            own_host=asked.host[:_SHOWN_CHARACTERS],
            own_port=asked.port,
            own_host_from=asked.header,
            allowed_origins=self._allowed,
            peer=request.remote,
            # Nearly always the reason why the pages of a server behind a new proxy are refused.
            untrusted_forwarded_host=X_FORWARDED_HOST in request.headers and not self._proxies.sent(request),
            left_out_before=self._left_out,
        )
        self._left_out = 0

    def _is_listed(self, origin: Origin) -> bool:
        return any(allowed.matches(origin) for allowed in self._listed)

    def _is_own(self, origin: Origin, request: AnyRequest) -> bool:
        """Of the same host and port. The scheme is not known here: a proxy may end TLS."""
        default_port = _DEFAULT_PORTS.get(origin.scheme)
        asked = self._proxies.asked_host(request)
        found = _HOST_AND_PORT.fullmatch(asked.host.lower())
        if default_port is None or found is None or not found[1] or found[1] != origin.host:
            return False
        return origin.port in ((int(found[2]),) if found[2] else (default_port, _port(asked.port)))


def _read_origin(text: str) -> Origin | None:
    found = _ORIGIN.fullmatch(text.lower())
    if found is None or found[3] == "*":
        return None
    return Origin(found[1], found[2], int(found[3]) if found[3] else _DEFAULT_PORTS.get(found[1]))


def _port(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 5 else None
