"""A room's name gives its channel and the scope of its resync."""

from __future__ import annotations

import pytest

from realtime.pubsub import room_names


@pytest.mark.parametrize(
    ("room", "scope"),
    [
        (room_names.person_room(1), room_names.RESYNC_ALL),
        ("conversation:1", "conversation:1"),
        ("post:1", "post:1"),
        (room_names.room_about("post:1", "user:2", "followed:2"), "post:1"),
        ("lobby", room_names.RESYNC_ALL),
        ("userlike:1", "userlike:1"),
    ],
)
def test_a_room_is_its_own_scope_but_a_persons_is_all(room: str, scope: str) -> None:
    assert room_names.resync_scope(room) == scope


def test_a_room_is_about_the_subjects_in_its_name() -> None:
    assert room_names.about(room_names.room_about("post:1", "user:2", "followed:2")) == ["user:2", "followed:2"]
    assert room_names.about("post:1") == room_names.about(room_names.person_room(1)) == ()


@pytest.mark.parametrize("room", ["conversation:1", room_names.person_room(1), "room:1", ""])
def test_a_channel_carries_one_room(room: str) -> None:
    assert room_names.room_of_channel(room_names.room_channel(room)) == room


@pytest.mark.parametrize(
    "channel",
    [
        room_names.EVERY_NODE_CHANNEL,
        room_names.EVERY_TOPIC_CHANNEL,
        room_names.node_channel("a"),
        room_names.node_channel(""),
    ],
)
def test_channels_of_nodes_carry_no_room(channel: str) -> None:
    assert room_names.room_of_channel(channel) is None


def test_names_of_different_things_differ() -> None:
    channels = [
        room_names.EVERY_NODE_CHANNEL,
        room_names.EVERY_TOPIC_CHANNEL,
        room_names.node_channel("all"),
        room_names.room_channel("all"),
        room_names.room_channel(room_names.person_room(1)),
        room_names.room_channel(room_names.topic_room("feed", 1)),
        room_names.node_channel("1"),
    ]
    assert len(set(channels)) == len(channels)
    assert room_names.person_room(1) != room_names.person_room(11)
