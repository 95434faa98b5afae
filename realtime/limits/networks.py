"""Whose an address is, as far as limits are concerned."""

from __future__ import annotations

import ipaddress
from typing import Final

IPV6_NETWORK_BITS: Final = 64
"""What one subscriber gets, at least: its addresses are countless, so they count as one."""


def network_of(address: str) -> str:
    """The address itself for IPv4, its network of 64 bits for IPv6; anything else (a Unix socket's "") as it is."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK_BITS), strict=False))
