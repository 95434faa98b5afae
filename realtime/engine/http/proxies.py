"""What proxies in front of this server tell of a request: the address of its client, and the host that it asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple, Protocol

from multidict import MultiMapping

Network = IPv4Network | IPv6Network

X_FORWARDED_FOR: Final = "X-Forwarded-For"
X_FORWARDED_HOST: Final = "X-Forwarded-Host"
X_FORWARDED_PORT: Final = "X-Forwarded-Port"
FORWARDED: Final = "Forwarded"

_NODE_WITH_PORT: Final = re.compile(r"\[([^\]]+)\](?::[\w.-]+)?|([0-9.]+):[\w.-]+", re.ASCII)
"""`[2001:db8::1]:443`, `[2001:db8::1]` or `203.0.113.7:51234`; an IPv6 address without brackets has no port."""
_PAIR: Final = re.compile(
    r"""[ \t]*(?:([!#$%&'*+.^_`|~\w-]+)=([!#$%&'*+.^_`|~\w-]+|"(?:[^"\\]|\\.)*")[ \t]*)?(;|,|$)""", re.ASCII
)
"""A parameter of RFC 7239 with the sign after it; empty ones are allowed there. Strangers send this, so a run of blanks
can be matched in one way only.
"""


class AnyRequest(Protocol):
    """A request of aiohttp, or the head of one. `remote` is the address of the socket's peer."""

    @property
    def headers(self) -> MultiMapping[str]: ...

    @property
    def remote(self) -> str | None: ...


class AskedHost(NamedTuple):
    """`Host` as the client sent it, with the name of the header that tells it; `port` may be told apart from it."""

    host: str
    header: str
    port: str | None = None


class TrustedProxies:
    """The networks whose forwarding headers are believed, and the one header in which they name the client.

    With `Forwarded` (RFC 7239) the host that was asked for is read from it too; with any other header it is read from
    X-Forwarded-Host and X-Forwarded-Port. Headers of other peers are ignored.
    """

    def __init__(self, networks: Sequence[Network] = (), *, address_header: str = X_FORWARDED_FOR) -> None:
        self._networks = tuple(networks)
        self._address_header = address_header
        self._reads_forwarded = address_header.lower() == FORWARDED.lower()

    def sent(self, request: AnyRequest) -> bool:
        """Whether the peer of the request's socket is one of the proxies."""
        return bool(self._networks) and self._trusts(_socket_peer(request))

    def client_address(self, request: AnyRequest) -> str:
        """The address of the client: the socket's peer, or the last one that a trusted proxy vouches for.

        "" on a Unix socket.
        """
        peer = _socket_peer(request)
        if not self._networks or not self._trusts(peer):
            return peer
        for node in self._nearest_first(request.headers):
            address = _parse_node(node)
            if address is None:
                break
            peer = str(address)
            if not self._trusts(peer):
                break
        return peer

    def asked_host(self, request: AnyRequest) -> AskedHost:
        """The host that the client asked for: what a trusted proxy tells of it, else the Host header."""
        headers = request.headers
        plain = AskedHost(headers.get("Host", ""), "Host")
        if not self.sent(request):
            return plain
        if self._reads_forwarded:
            lines = headers.getall(FORWARDED, ())
            elements = read_forwarded(lines[0]) if lines else None
            return AskedHost(elements[0]["host"], FORWARDED) if elements and "host" in elements[0] else plain
        port = _first(headers, X_FORWARDED_PORT)
        host = _first(headers, X_FORWARDED_HOST)
        return plain._replace(port=port) if host is None else AskedHost(host, X_FORWARDED_HOST, port)

    def _nearest_first(self, headers: MultiMapping[str]) -> Iterator[str]:
        for line in reversed(headers.getall(self._address_header, ())):
            if self._reads_forwarded:
                # A line that cannot be read vouches for nobody, and neither does anything behind it.
                for element in reversed(read_forwarded(line) or [{}]):
                    yield element.get("for", "")
            else:
                yield from map(str.strip, reversed(line.split(",")))

    def _trusts(self, address: str) -> bool:
        parsed = _parse(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def read_forwarded(line: str) -> list[dict[str, str]] | None:
    """The elements of a `Forwarded` header (RFC 7239), by parameter in lower case; None if it is malformed."""
    elements: list[dict[str, str]] = [{}]
    place = 0
    while found := _PAIR.match(line, place):
        name, value, sign = found.groups()
        if name is not None:
            if name.lower() in elements[-1]:
                return None
            elements[-1][name.lower()] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        if not sign:
            return elements
        if sign == ",":
            elements.append({})
        place = found.end()
    return None


def _first(headers: MultiMapping[str], name: str) -> str | None:
    """The first entry of a list: what the proxy nearest to the client tells."""
    lines = headers.getall(name, ())
    return lines[0].partition(",")[0].strip() or None if lines else None


def _socket_peer(request: AnyRequest) -> str:
    host = request.remote or ""
    if ":" not in host:
        return host
    # An IPv4 client of a socket that listens on IPv6 must not have two addresses.
    address = _parse(host)
    return str(address) if address is not None else host


def _parse_node(text: str) -> IPv4Address | IPv6Address | None:
    """The address of a node as proxies write it, with or without a port."""
    found = _NODE_WITH_PORT.fullmatch(text)
    return _parse(text if found is None else found[1] or found[2])


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
