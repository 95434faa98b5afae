"""The last position of a room is announced, once for all pushes before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from realtime.contract.declarations import PositionAnnouncement, Push
from realtime.contract.emissions import Emission, ToRoom, ToTopic, emission
from realtime.contract.wire import Model
from realtime.pubsub.position_announcer import PositionAnnouncer


class Numbered(Model):
    number: int


class Position(Model):
    last: int


POSITION = Push(name="position", namespace="/one", model=Position, audience="Whoever is there.", volatile=True)
NUMBERED = Push(
    name="numbered",
    namespace="/one",
    model=Numbered,
    audience="Whoever is there.",
    position=PositionAnnouncement(
        push=POSITION, data_of=lambda said: Position(last=said.number), number_of=lambda said: said.number
    ),
)
PLAIN = Push(name="plain", namespace="/one", model=Numbered, audience="Whoever is there.")


class _Published:
    def __init__(self) -> None:
        self.emissions: list[Emission] = []
        self.arrived = asyncio.Event()

    async def publish(self, emissions: Sequence[Emission]) -> None:
        self.emissions += emissions
        self.arrived.set()


def _numbered(number: int, room: str = "talk:1", push: Push[Numbered] = NUMBERED) -> Emission:
    return emission(push, Numbered(number=number), ToRoom(room))


async def test_the_largest_number_of_each_room_is_announced_once() -> None:
    published = _Published()
    positions = PositionAnnouncer(published.publish, every_s=0.05)
    positions.start()
    for said in (_numbered(1), _numbered(3), _numbered(2), _numbered(7, "talk:2")):
        positions.record(said)
    await published.arrived.wait()
    await asyncio.sleep(0.15)
    await positions.stop()
    assert [(each.to, each.data, each.push) for each in published.emissions] == [
        (ToRoom("talk:1"), Position(last=3), POSITION),
        (ToRoom("talk:2"), Position(last=7), POSITION),
    ]


async def test_stopping_publishes_what_is_still_due() -> None:
    published = _Published()
    positions = PositionAnnouncer(published.publish, every_s=100)
    positions.start()
    positions.record(_numbered(1))
    await positions.stop()
    assert [each.data for each in published.emissions] == [Position(last=1)]


async def test_pushes_without_a_number_or_a_room_are_not_announced() -> None:
    published = _Published()
    positions = PositionAnnouncer(published.publish, every_s=100)
    positions.start()
    positions.record(_numbered(1, push=PLAIN))
    positions.record(emission(NUMBERED, Numbered(number=1), ToTopic("topic", [1])))
    await positions.stop()
    assert published.emissions == []
