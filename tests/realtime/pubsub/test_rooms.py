"""A room's name gives its channel and the scope of its resync."""

from __future__ import annotations

import pytest

from realtime.pubsub import rooms


@pytest.mark.parametrize(
    ("room", "scope"),
    [
        (rooms.person_room(1), rooms.RESYNC_ALL),
        ("conversation:1", "conversation:1"),
        ("post:1", "post:1"),
        ("lobby", rooms.RESYNC_ALL),
        ("userlike:1", "userlike:1"),
    ],
)
def test_a_room_is_its_own_scope_but_a_persons_is_all(room: str, scope: str) -> None:
    assert rooms.resync_scope(room) == scope


@pytest.mark.parametrize("room", ["conversation:1", rooms.person_room(1), "room:1", ""])
def test_a_channel_carries_one_room(room: str) -> None:
    assert rooms.room_of_channel(rooms.room_channel(room)) == room


@pytest.mark.parametrize(
    "channel", [rooms.EVERY_NODE_CHANNEL, rooms.EVERY_TOPIC_CHANNEL, rooms.node_channel("a"), rooms.node_channel("")]
)
def test_channels_of_nodes_carry_no_room(channel: str) -> None:
    assert rooms.room_of_channel(channel) is None


def test_names_of_different_things_differ() -> None:
    channels = [
        rooms.EVERY_NODE_CHANNEL,
        rooms.EVERY_TOPIC_CHANNEL,
        rooms.node_channel("all"),
        rooms.room_channel("all"),
        rooms.room_channel(rooms.person_room(1)),
        rooms.room_channel(rooms.topic_room("feed", 1)),
        rooms.node_channel("1"),
    ]
    assert len(set(channels)) == len(channels)
    assert rooms.person_room(1) != rooms.person_room(11)
