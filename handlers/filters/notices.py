"""What the devices of a user are told when their words that hide change, or one of them ends."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.context import Context, Reaction
from handlers.feature import Consumer, on
from handlers.feed.contract import NAMESPACE, TOPIC
from handlers.filters.contract import FILTER_ENDED, FilterOwner
from realtime.contract.connection_pushes import RESYNC, Resync
from realtime.contract.emissions import Emission, ToTopic, emission


def feed_changed(*user_ids: int) -> Emission:
    """Other posts are shown than before: subscribed feeds have to be read anew."""
    return emission(RESYNC, Resync(scope=TOPIC), ToTopic(TOPIC, user_ids), namespace=NAMESPACE)


async def tell_end(ctx: Context, ended: Sequence[FilterOwner]) -> Reaction:
    """Shows again what a filter hid until its end."""
    return Reaction(pushes=(feed_changed(*sorted({int(owner.user_id) for owner in ended})),))


FILTER_ENDS = Consumer("filter_ends", (on(FILTER_ENDED, tell_end),), from_now=True)
