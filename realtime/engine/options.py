"""Settings of an engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from realtime.engine.http.origins import OriginPolicy
from realtime.engine.http.proxies import TrustedProxies
from realtime.engine.protocol import packets
from realtime.engine.protocol.codec import Codec


@dataclass(frozen=True)
class EngineOptions:
    """Settings of one engine.

    `max_packet_bytes` bounds a packet, a WebSocket message and a polling body; `max_unread_bytes` what a client may
    leave unread before it is disconnected as a slow consumer. A connection without a session is closed
    `connect_timeout_ms` after it was opened. A client that sends more than `max_frames_per_s` WebSocket frames, of any
    kind, is disconnected as a flood. `origins` says whose pages may connect, `proxies` whose forwarding headers are
    believed. `codec` encodes all packets on this path, which is served without its last slash too. Every sid begins
    with `sid_prefix`, by which a load balancer finds the node of a polling client.
    """

    path: str = "/socket.io/"
    codec: Codec = packets
    ping_interval_ms: int = 25_000
    ping_timeout_ms: int = 20_000
    max_packet_bytes: int = 1_000_000
    max_unread_bytes: int = 1024 * 1024
    connect_timeout_ms: int = 45_000
    max_frames_per_s: int = 50_000
    origins: OriginPolicy = field(default_factory=OriginPolicy)
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    namespaces: tuple[str, ...] = ()
    sid_prefix: str = ""
