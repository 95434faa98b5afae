"""How far the numbers of a room go is told again, once for all that was said."""

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


class _Told:
    def __init__(self) -> None:
        self.emissions: list[Emission] = []
        self.came = asyncio.Event()

    async def publish(self, emissions: Sequence[Emission]) -> None:
        self.emissions += emissions
        self.came.set()


def _said(number: int, room: str = "talk:1", push: Push[Numbered] = NUMBERED) -> Emission:
    return emission(push, Numbered(number=number), ToRoom(room))


async def test_the_largest_number_of_each_room_is_told_once() -> None:
    told = _Told()
    positions = PositionAnnouncer(told.publish, every_s=0.05)
    positions.start()
    for said in (_said(1), _said(3), _said(2), _said(7, "talk:2")):
        positions.record(said)
    await told.came.wait()
    await asyncio.sleep(0.15)
    await positions.stop()
    assert [(each.to, each.data, each.push) for each in told.emissions] == [
        (ToRoom("talk:1"), Position(last=3), POSITION),
        (ToRoom("talk:2"), Position(last=7), POSITION),
    ]


async def test_who_stops_tells_what_is_left() -> None:
    told = _Told()
    positions = PositionAnnouncer(told.publish, every_s=100)
    positions.start()
    positions.record(_said(1))
    await positions.stop()
    assert [each.data for each in told.emissions] == [Position(last=1)]


async def test_what_has_no_number_is_not_told_again() -> None:
    told = _Told()
    positions = PositionAnnouncer(told.publish, every_s=100)
    positions.start()
    positions.record(_said(1, push=PLAIN))
    positions.record(emission(NUMBERED, Numbered(number=1), ToTopic("topic", [1])))
    await positions.stop()
    assert told.emissions == []
