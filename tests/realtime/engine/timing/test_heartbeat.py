import asyncio

from realtime.engine.timing.heartbeat import Heartbeat


class Client:
    """Tells what happens to it."""

    def __init__(self, *, excused: bool = False) -> None:
        self.happened: asyncio.Queue[str] = asyncio.Queue()
        self.is_excused = excused

    def ask(self) -> None:
        self.happened.put_nowait("asked")

    @property
    def excused(self) -> bool:
        if self.is_excused:
            self.happened.put_nowait("excused")
        return self.is_excused

    def fall_silent(self) -> None:
        self.happened.put_nowait("silent")


def _heartbeat() -> Heartbeat:
    return Heartbeat(interval_ms=10, timeout_ms=10)


async def test_a_client_that_says_nothing_is_silent_after_the_question() -> None:
    client = Client()
    _heartbeat().hear(client)
    assert [await client.happened.get(), await client.happened.get()] == ["asked", "silent"]


async def test_a_sign_of_life_puts_off_the_judgement() -> None:
    client, heartbeat = Client(), _heartbeat()
    heartbeat.hear(client)
    for _ in range(5):
        assert await client.happened.get() == "asked"
        heartbeat.hear(client)
    heartbeat.forget(client)


async def test_an_excused_client_gets_another_wait() -> None:
    client = Client(excused=True)
    _heartbeat().hear(client)
    heard = [await client.happened.get() for _ in range(3)]
    client.is_excused = False
    assert [*heard, await client.happened.get()] == ["asked", "excused", "excused", "silent"]


async def test_after_a_client_was_forgotten_nothing_happens_to_it() -> None:
    client, other, heartbeat = Client(), Client(), _heartbeat()
    heartbeat.hear(client)
    heartbeat.hear(other)
    heartbeat.forget(client)
    assert [await other.happened.get(), await other.happened.get()] == ["asked", "silent"]
    assert client.happened.empty()
