"""How the engine treats its clients."""

from __future__ import annotations

from dataclasses import dataclass

from realtime.engine.http.peer import Network
from realtime.engine.protocol import packets
from realtime.engine.protocol.codec import Codec


@dataclass(frozen=True)
class EngineOptions:
    """Settings of one engine.

    `max_packet_bytes` bounds a packet, a WebSocket message and a polling body; `max_unread_bytes` what a client may
    leave unread before it is cut off as a slow consumer. A client that has no session `connect_timeout_ms` after it
    opened a connection is closed. `max_frames_per_s` bounds the WebSocket frames of one client, whatever is in them;
    one that sends more is closed as a flood. `allowed_origins` are those of foreign pages; pages of the same host are
    always allowed, "*" allows all. Forwarding headers are believed from `trusted_proxies` only. `codec` is the encoding
    of all packets on this path. Every sid begins with `sid_prefix`, by which a load balancer finds the node of a
    polling client again.
    """

    path: str = "/socket.io/"
    codec: Codec = packets
    ping_interval_ms: int = 25_000
    ping_timeout_ms: int = 20_000
    max_packet_bytes: int = 1_000_000
    max_unread_bytes: int = 1024 * 1024
    connect_timeout_ms: int = 45_000
    max_frames_per_s: int = 50_000
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    namespaces: tuple[str, ...] = ()
    sid_prefix: str = ""
