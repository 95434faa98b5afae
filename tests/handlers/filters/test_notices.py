"""Subscribed feeds are read anew when words that hide change."""

from __future__ import annotations

from handlers.filters.notices import feed_changed
from realtime.contract.emissions import ToTopic


def test_only_subscribed_feeds_of_the_owners_are_told() -> None:
    told = feed_changed(3, 5)
    assert (told.push.name, told.namespace, told.to) == ("resync", "/feed", ToTopic("feed", (3, 5)))
