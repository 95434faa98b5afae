"""The real address of the client of a request, and whether its page may use this server."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Protocol
from urllib.parse import urlsplit

from multidict import MultiMapping

Network = IPv4Network | IPv6Network

ANY_ORIGIN = "*"


class AnyRequest(Protocol):
    """A request of aiohttp, or the head of one. `remote` is the address of the socket's peer."""

    @property
    def headers(self) -> MultiMapping[str]: ...

    @property
    def remote(self) -> str | None: ...


def peer_address(request: AnyRequest, trusted_proxies: Sequence[Network]) -> str:
    """The address of the client: the socket's peer, or the last one that a trusted proxy vouches for.

    Forwarding headers of any other peer are ignored. "" on a Unix socket.
    """
    peer = _socket_peer(request)
    if not trusted_proxies or not _trusted(peer, trusted_proxies):
        return peer
    for entry in reversed(",".join(request.headers.getall("X-Forwarded-For", [])).split(",")):
        address = _parse(entry.strip())
        if address is None:
            break
        peer = str(address)
        if not _trusted(peer, trusted_proxies):
            break
    return peer


def origin_allowed(request: AnyRequest, allowed_origins: Collection[str], trusted_proxies: Sequence[Network]) -> bool:
    """Whether the page that sends the request may use this server: it is on the list, or is of the same host.

    Requests without an Origin are not from a page. "*" allows all.
    """
    origin = request.headers.get("Origin")
    if origin is None or ANY_ORIGIN in allowed_origins or origin in allowed_origins:
        return True
    host = request.headers.get("Host")
    if trusted_proxies and _trusted(_socket_peer(request), trusted_proxies):
        host = request.headers.get("X-Forwarded-Host", host)
    try:
        # The scheme is not compared: behind a proxy that ends TLS it is not known here.
        return bool(host) and urlsplit(origin).netloc == host
    except ValueError:  # an origin that is none
        return False


def _socket_peer(request: AnyRequest) -> str:
    host = request.remote or ""
    if ":" not in host:
        return host
    # An IPv4 client of a socket that listens on IPv6 must not have two addresses.
    address = _parse(host)
    return str(address) if address is not None else host


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _trusted(address: str, networks: Sequence[Network]) -> bool:
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in networks)
