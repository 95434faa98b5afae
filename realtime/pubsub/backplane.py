"""Messages between the nodes of one server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

MAX_BODY_BYTES = 65_536
"""A message above the broker's output limit would close the connection of every subscriber. Publish ids instead."""


class BodyTooLarge(ValueError):
    """A message is over MAX_BODY_BYTES; nothing was sent."""


def check_bodies(messages: Sequence[tuple[str, bytes]]) -> None:
    """Raises BodyTooLarge before anything is sent."""
    for channel, body in messages:
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge(f"{len(body)} bytes on {channel}, at most {MAX_BODY_BYTES}")


class Backplane(Protocol):
    """Channels between nodes: at most once, and all subscribers of a channel receive its messages in one order.

    Order between channels is not promised. Where messages may have been lost, `on_missed` is called.
    """

    @property
    def node_id(self) -> str: ...

    @property
    def problem(self) -> str | None:
        """Why messages get lost now; None while they arrive.

        There is one too while this node has received none of the last five probes that it sends itself, one a second.
        """

    async def start(self, *, on_message: Callable[[str, bytes], None], on_missed: Callable[[str], None]) -> None:
        """Subscribes the node's own channel and `all`. Does not wait long for a broker that is away.

        `on_message(channel, body)` is called in the channel's order, one at a time; what it raises is logged.
        `on_missed(channel)` says that messages of a subscribed channel may be missing; it comes before any later
        message of that channel.
        """

    async def stop(self) -> None:
        """Receives nothing more; leaves no task."""

    async def subscribe(self, *channels: str) -> bool:
        """Adds one reference to each channel, in one round trip; True: whatever is published from now on arrives.

        False: the broker is away. It is subscribed as soon as the broker is back; `on_missed` is called for it first.
        The references count from the call on, before anything is awaited, and also where the call is cancelled.
        """

    async def unsubscribe(self, channel: str) -> None:
        """Drops one reference to the channel; without references the node no longer receives it."""

    async def barrier(self) -> bool:
        """True when everything that was published before the call has been handled here; False: the broker is away."""

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> bool:
        """Sends (channel, body) pairs in this order to all subscribers, this node included. Raises BodyTooLarge.

        False, after 0.5 s at most: the broker is away, or refused a message. A message is lost, or was sent and not
        confirmed; `on_missed` is called at the subscribers that may have missed it when the broker is back.
        """
