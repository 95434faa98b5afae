import asyncio

from realtime.engine.timing.heartbeat import Heartbeat


class Client:
    """Records what the heartbeat does to it."""

    def __init__(self, *, unread: bool = False) -> None:
        self.happened: asyncio.Queue[str] = asyncio.Queue()
        self.is_unread = unread

    def ping(self) -> None:
        self.happened.put_nowait("pinged")

    @property
    def pong_may_be_unread(self) -> bool:
        if self.is_unread:
            self.happened.put_nowait("unread")
        return self.is_unread

    def ping_timed_out(self) -> None:
        self.happened.put_nowait("timed out")


def _heartbeat() -> Heartbeat:
    return Heartbeat(interval_ms=10, timeout_ms=10)


async def test_a_client_that_does_not_answer_a_ping_times_out() -> None:
    client = Client()
    _heartbeat().restart(client)
    assert [await client.happened.get(), await client.happened.get()] == ["pinged", "timed out"]


async def test_a_pong_starts_the_interval_anew() -> None:
    client, heartbeat = Client(), _heartbeat()
    heartbeat.restart(client)
    for _ in range(5):
        assert await client.happened.get() == "pinged"
        heartbeat.restart(client)
    heartbeat.remove(client)


async def test_a_client_whose_pong_may_be_unread_gets_more_time() -> None:
    client = Client(unread=True)
    _heartbeat().restart(client)
    heard = [await client.happened.get() for _ in range(3)]
    client.is_unread = False
    assert [*heard, await client.happened.get()] == ["pinged", "unread", "unread", "timed out"]


async def test_a_removed_client_is_not_pinged() -> None:
    client, other, heartbeat = Client(), Client(), _heartbeat()
    heartbeat.restart(client)
    heartbeat.restart(other)
    heartbeat.remove(client)
    assert [await other.happened.get(), await other.happened.get()] == ["pinged", "timed out"]
    assert client.happened.empty()
