import pytest

from loadtest.bench.connecting_socket import ClientFailed
from loadtest.bench.engine.client_sockets import DeliveryCounter
from loadtest.peers.bare_uvloop import frame

FRAME = frame(b"hello")


async def test_a_tally_is_done_with_the_last_byte_of_the_last_frame() -> None:
    counter = DeliveryCounter()
    done = counter.expect(2)
    counter.receive(FRAME)
    counter.receive(FRAME[:-1])
    assert not done.done()
    counter.receive(FRAME[-1:])
    assert done.done() and len(counter.received_at_s) == 3


async def test_joined_frames_count_as_often_as_they_are_there() -> None:
    counter = DeliveryCounter()
    done = counter.expect(5)
    counter.receive(FRAME * 3)
    counter.receive(FRAME * 2)
    assert done.done()


async def test_a_frame_too_many_is_an_error() -> None:
    counter = DeliveryCounter()
    done = counter.expect(1)
    counter.receive(FRAME * 2)
    with pytest.raises(ClientFailed, match="7 bytes more"):
        await done


async def test_a_client_that_is_closed_is_an_error() -> None:
    counter = DeliveryCounter()
    done = counter.expect(1)
    counter.connection_lost()
    with pytest.raises(ClientFailed):
        await done
