from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from realtime.contract.errors import CloseReason
from realtime.engine.hub import Hub
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.protocol.frames import Outgoing
from realtime.engine.session.connection import Connection
from realtime.engine.session.session import Session
from realtime.engine.session.transport import TransportName
from tests.kit.recording_session import RecordingSession


@dataclass
class RecordingTransport:
    """A client that reads everything."""

    name: TransportName = "websocket"
    written: list[Outgoing] = field(default_factory=list)
    unread_bytes: int = 0

    def call_when_stalled(self, action: Callable[[], None]) -> None:
        """It never stalls."""

    def write(self, packet: Outgoing) -> None:
        self.written.append(packet)

    def close(self, reason: CloseReason) -> None:
        """Nothing is behind it."""

    def finish_close(self) -> None:
        """Nothing is behind it."""

    def abort(self) -> None:
        """Nothing is behind it."""

    def pause_reading(self) -> None:
        """Nothing is read from it."""

    def resume_reading(self) -> None:
        """Nothing is read from it."""


async def test_joining_returns_whether_it_is_the_first_of_a_name() -> None:
    hub, one, other = Hub(), RecordingSession(), RecordingSession("/feed")
    assert [hub.join(one, "hall"), hub.join(other, "hall"), hub.join(other, "attic")] == [True, False, True]


async def test_joining_twice_is_joining_once() -> None:
    hub, one = Hub(), RecordingSession()
    assert [hub.join(one, "hall"), hub.join(one, "hall")] == [True, False]
    assert hub.leave(one, "hall") is True
    assert not hub.has_members("hall")


async def test_leaving_returns_whether_it_is_the_last_of_a_name_in_all_namespaces() -> None:
    hub, one, other = Hub(), RecordingSession("/chat"), RecordingSession("/feed")
    hub.join(one, "hall")
    hub.join(other, "hall")
    assert [hub.leave(one, "hall"), hub.leave(other, "hall")] == [False, True]


async def test_leaving_a_room_that_one_is_not_in_changes_nothing() -> None:
    hub, one, other = Hub(), RecordingSession(), RecordingSession()
    hub.join(other, "hall")
    assert hub.leave(one, "hall") is False
    assert hub.members("/chat", "hall") == (other,)


async def test_leaving_all_names_the_rooms_that_became_empty() -> None:
    hub, one, other = Hub(), RecordingSession(), RecordingSession()
    for room in ("hall", "attic", "cellar"):
        hub.join(one, room)
    hub.join(other, "attic")
    assert sorted(hub.leave_all(one)) == ["cellar", "hall"]
    assert one.rooms == set()


async def test_a_push_reaches_the_room_in_its_namespace_only() -> None:
    hub, inside, elsewhere, outside = Hub(), RecordingSession(), RecordingSession("/feed"), RecordingSession()
    hub.join(inside, "hall")
    hub.join(elsewhere, "hall")
    hub.join(outside, "attic")
    assert hub.push(EncodedPush("/chat", "said", b"1"), ("hall",)) == 1
    assert (inside.heard, elsewhere.heard, outside.heard) == ([("said", 1)], [], [])


async def test_a_push_to_empty_rooms_is_delivered_to_none() -> None:
    assert Hub().push(EncodedPush("/chat", "said", b"1"), ("hall", "attic")) == 0
    assert Hub().push(EncodedPush("/chat", "said", b"1"), ()) == 0


async def test_a_push_to_several_rooms_reaches_a_member_of_many_once() -> None:
    hub, both, one, outside = Hub(), RecordingSession(), RecordingSession(), RecordingSession()
    for member, room in ((both, "hall"), (both, "attic"), (one, "attic"), (outside, "cellar")):
        hub.join(member, room)
    assert hub.push(EncodedPush("/chat", "said", b"1"), ("hall", "attic", "nowhere")) == 2
    assert (both.heard, one.heard, outside.heard) == ([("said", 1)], [("said", 1)], [])


async def test_sockets_of_many_rooms_get_the_same_packet() -> None:
    """It is encoded and framed once, however many rooms and sockets there are."""
    hub, transports = Hub(), [RecordingTransport() for _ in range(3)]
    for number, transport in enumerate(transports):
        connection: Connection[Session] = Connection(
            id=str(number),
            peer_address="",
            user_agent=None,
            transport=transport,
            on_session_end=lambda *_: None,
            on_end=lambda _: None,
        )
        session = Session(id=str(number), namespace="/feed", connection=connection)
        session.open()
        transport.written.clear()
        hub.join(session, f"feed:{number % 2}")
    assert hub.push(EncodedPush("/feed", "said", b"1"), ("feed:0", "feed:1")) == 3
    packets = [packet for transport in transports for packet in transport.written]
    assert [packet.payload for packet in packets] == [b'42/feed,["said",1]'] * 3
    assert all(packet is packets[0] for packet in packets)


async def test_a_member_may_leave_while_a_push_is_delivered() -> None:
    hub = Hub()

    class Leaver(RecordingSession):
        def deliver(self, push: EncodedPush) -> None:
            hub.leave_all(self)

    for _ in range(3):
        hub.join(Leaver(), "hall")
    assert hub.push(EncodedPush("/chat", "said", b"1"), ("hall",)) == 3
    assert not hub.has_members("hall")


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.sampled_from("abc")), max_size=60))
async def test_rooms_are_what_a_set_of_pairs_says(steps: list[tuple[bool, int, str]]) -> None:
    hub, members = Hub(), [RecordingSession("/chat" if number % 2 else "/feed") for number in range(4)]
    model: set[tuple[int, str]] = set()
    for joins, number, room in steps:
        held_before = any(name == room for _, name in model)
        if joins:
            model.add((number, room))
            assert hub.join(members[number], room) is not held_before
        else:
            was_in = (number, room) in model
            model.discard((number, room))
            held_after = any(name == room for _, name in model)
            assert hub.leave(members[number], room) is (was_in and not held_after)
        assert hub.has_members(room) is any(name == room for _, name in model)
        for namespace in ("/chat", "/feed"):
            expected = {n for n, name in model if name == room and members[n].namespace == namespace}
            assert {members.index(member) for member in hub.members(namespace, room)} == expected  # type: ignore[arg-type]
