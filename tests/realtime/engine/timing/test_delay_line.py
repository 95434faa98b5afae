import asyncio

from realtime.engine.timing.delay_line import DelayLine


class Due:
    """What was due, in order."""

    def __init__(self) -> None:
        self.items: list[str] = []
        self.changed = asyncio.Event()

    def add(self, item: str) -> None:
        self.items.append(item)
        self.changed.set()

    async def until(self, count: int) -> list[str]:
        while len(self.items) < count:
            self.changed.clear()
            await self.changed.wait()
        return self.items


async def test_items_are_due_in_the_order_in_which_their_waits_began() -> None:
    due = Due()
    line = DelayLine(0.01, due.add)
    for item in ("a", "b", "c"):
        line.put(item)
        await asyncio.sleep(0.002)
    assert await due.until(3) == ["a", "b", "c"]


async def test_a_wait_that_begins_anew_comes_last() -> None:
    due = Due()
    line = DelayLine(0.01, due.add)
    line.put("a")
    line.put("b")
    line.put("a")
    assert await due.until(2) == ["b", "a"]


async def test_an_item_is_not_due_much_early() -> None:
    loop, due = asyncio.get_running_loop(), Due()
    started_s = loop.time()
    DelayLine(0.1, due.add).put("a")
    await due.until(1)
    # Two hundredths early, and the resolution of timers.
    assert loop.time() - started_s >= 0.097


async def test_a_discarded_item_is_not_due() -> None:
    due = Due()
    line = DelayLine(0.01, due.add)
    line.put("a")
    line.put("b")
    line.discard("a")
    line.discard("unknown")
    assert await due.until(1) == ["b"]


async def test_one_that_is_due_may_end_the_wait_of_another_and_begin_its_own_anew() -> None:
    due = Due()

    def take(item: str) -> None:
        due.add(item)
        line.discard("b")
        if len(due.items) < 3:
            line.put("a")

    line = DelayLine(0.005, take)
    line.put("a")
    line.put("b")
    assert await due.until(3) == ["a", "a", "a"]


async def test_many_that_are_due_together_let_the_loop_go_on_in_between() -> None:
    turns: list[int] = []
    turn = 0
    done = asyncio.Event()

    def take(number: int) -> None:
        turns.append(turn)
        if len(turns) == 2000:
            done.set()

    line = DelayLine(0.001, take)
    for number in range(2000):
        line.put(number)
    while not done.is_set():
        turn += 1
        await asyncio.sleep(0)
    assert max(turns.count(number) for number in set(turns)) <= 512


async def test_an_empty_line_keeps_no_timer() -> None:
    line = DelayLine[str](60, lambda item: None)
    line.put("a")
    line.discard("a")
    assert line._timer is None
