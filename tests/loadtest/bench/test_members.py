import pytest

from loadtest.bench.members import Refused, Tally
from loadtest.peers.bare_uvloop import frame

FRAME = frame(b"hello")


async def test_a_tally_is_done_with_the_last_byte_of_the_last_frame() -> None:
    tally = Tally()
    done = tally.expect(2)
    tally.hear(FRAME)
    tally.hear(FRAME[:-1])
    assert not done.done()
    tally.hear(FRAME[-1:])
    assert done.done() and len(tally.heard_at_s) == 3


async def test_joined_frames_count_as_often_as_they_are_there() -> None:
    tally = Tally()
    done = tally.expect(5)
    tally.hear(FRAME * 3)
    tally.hear(FRAME * 2)
    assert done.done()


async def test_a_frame_too_many_is_an_error() -> None:
    tally = Tally()
    done = tally.expect(1)
    tally.hear(FRAME * 2)
    with pytest.raises(Refused, match="7 bytes more"):
        await done


async def test_a_client_that_is_closed_is_an_error() -> None:
    tally = Tally()
    done = tally.expect(1)
    tally.lose()
    with pytest.raises(Refused):
        await done
