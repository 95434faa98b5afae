"""How the nodes of one server reach each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

MAX_BODY_BYTES = 65_536
"""One message larger than the broker's output limit would close every subscriber; far below it, publish ids instead."""


class BodyTooLarge(ValueError):
    """A message is over MAX_BODY_BYTES; nothing was sent."""


def check_bodies(messages: Sequence[tuple[str, bytes]]) -> None:
    """Raises BodyTooLarge before anything is sent."""
    for channel, body in messages:
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge(f"{len(body)} bytes on {channel}, at most {MAX_BODY_BYTES}")


class Backplane(Protocol):
    """Channels between nodes: at most once, and all subscribers of a channel hear its messages in one order.

    Order between channels is not promised. Where messages may have been lost the node is told so (`on_missed`).
    """

    @property
    def node_id(self) -> str: ...

    @property
    def healthy(self) -> bool:
        """False while this node is deaf: it has heard none of the last five probes that it sends itself each second."""

    async def start(self, *, on_message: Callable[[str, bytes], None], on_missed: Callable[[str], None]) -> None:
        """Begins to hear the node's own channel, `all`, and what is subscribed. Does not wait long for a lost broker.

        `on_message(channel, body)` is called in the channel's order, one at a time; what it raises is logged.
        `on_missed(channel)` says that messages of a subscribed channel may be missing; it comes before any later
        message of that channel.
        """

    async def stop(self) -> None:
        """Hears nothing more; leaves no task."""

    async def subscribe(self, *channels: str) -> bool:
        """Adds one reference to each channel, in one round trip; True: whatever is published from now on arrives.

        False: the broker is away. The wishes stay, and when one is fulfilled a gap of its channel is reported first.
        The references stand as soon as this is called, before anything is awaited, and also where it is cancelled.
        """

    async def unsubscribe(self, channel: str) -> None:
        """Takes one reference back; with the last one the node stops to hear the channel."""

    async def publish(self, channel: str, body: bytes) -> bool:
        """Sends a message to all subscribers of a channel, to this node too if it is one. Raises BodyTooLarge.

        False, after 0.5 s at most: the broker is away. The message is lost, or was sent and not confirmed; subscribers
        that may have missed it are told of a gap when the broker is back.
        """

    async def publish_many(self, messages: Sequence[tuple[str, bytes]]) -> bool:
        """Like publish for several messages in one go, in their order; False if that of any one is unsure."""
