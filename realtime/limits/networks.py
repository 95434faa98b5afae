"""The network by which rate limits count an address."""

from __future__ import annotations

import ipaddress
from typing import Final

IPV6_NETWORK_BITS: Final = 64
"""The smallest network that a provider gives a customer; all addresses of one network count as one client."""


def network_of(address: str) -> str:
    """The address itself for IPv4, its /64 network for IPv6; anything else (a Unix socket's "") unchanged."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK_BITS), strict=False))
