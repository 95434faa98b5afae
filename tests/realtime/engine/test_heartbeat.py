import asyncio

from realtime.engine.heartbeat import Heartbeat


class Watched:
    def __init__(self, *, excused: bool = False) -> None:
        self.happened: asyncio.Queue[str] = asyncio.Queue()
        self.is_excused = excused
        self.heartbeat = Heartbeat(
            interval_ms=10,
            timeout_ms=10,
            ask=lambda: self.happened.put_nowait("asked"),
            excused=self._excused,
            on_silence=lambda: self.happened.put_nowait("silent"),
        )

    def _excused(self) -> bool:
        if self.is_excused:
            self.happened.put_nowait("excused")
        return self.is_excused


async def test_a_client_that_says_nothing_is_silent_after_the_question() -> None:
    watched = Watched()
    watched.heartbeat.start()
    assert [await watched.happened.get(), await watched.happened.get()] == ["asked", "silent"]


async def test_a_sign_of_life_puts_off_the_judgement() -> None:
    watched = Watched()
    watched.heartbeat.start()
    for _ in range(5):
        assert await watched.happened.get() == "asked"
        watched.heartbeat.start()
    watched.heartbeat.stop()


async def test_an_excused_client_gets_another_wait() -> None:
    watched = Watched(excused=True)
    watched.heartbeat.start()
    heard = [await watched.happened.get() for _ in range(3)]
    watched.is_excused = False
    assert [*heard, await watched.happened.get()] == ["asked", "excused", "excused", "silent"]


async def test_after_a_stop_nothing_happens() -> None:
    watched = Watched()
    watched.heartbeat.start()
    watched.heartbeat.stop()
    await asyncio.sleep(0.05)
    assert watched.happened.empty()
