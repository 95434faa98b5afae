import asyncio

import pytest

from sql.errors import Unavailable
from sql.execution.turns import Patience, Turns

PATIENT = Patience(stalled_s=5, in_all_s=5)


async def waiting(turns: Turns, number: int, got: list[int], patience: Patience = PATIENT) -> None:
    await turns.wait(patience)
    got.append(number)


async def started(*tasks: asyncio.Task[None]) -> None:
    """Until each of them waits."""
    for _ in range(2):
        await asyncio.sleep(0)


async def test_who_came_first_is_next_and_nobody_gets_in_between() -> None:
    turns, got = Turns(2), list[int]()
    assert turns.take_free()
    assert turns.take_free()
    crowd = [asyncio.create_task(waiting(turns, number, got)) for number in range(10)]
    await started(*crowd)
    for number in range(10):
        turns.give_back()
        assert not turns.take_free(), "the turn belongs to the next one already"
        await started()
        assert got == list(range(number + 1))
    turns.give_back()
    turns.give_back()
    assert [turns.take_free() for _ in range(3)] == [True, True, False]
    await asyncio.gather(*crowd)


@pytest.mark.parametrize("is_next", [False, True])
async def test_who_leaves_the_queue_takes_no_turn_along(is_next: bool) -> None:
    turns, got = Turns(1), list[int]()
    assert turns.take_free()
    leaving, staying = (asyncio.create_task(waiting(turns, number, got)) for number in range(2))
    await started(leaving, staying)
    if is_next:
        turns.give_back()
        leaving.cancel()
    else:
        leaving.cancel()
        await started()
        turns.give_back()
    await staying
    assert got == [1]
    assert leaving.cancelled()
    turns.give_back()
    assert turns.take_free()


async def test_a_queue_that_stands_still_ends_in_unavailable() -> None:
    turns = Turns(1)
    assert turns.take_free()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await turns.wait(Patience(stalled_s=0.02, in_all_s=5))
    turns.give_back()
    assert turns.take_free()


async def test_a_queue_that_moves_is_waited_in_for_longer() -> None:
    turns, got, patience = Turns(1), list[int](), Patience(stalled_s=0.1, in_all_s=5)
    assert turns.take_free()
    crowd = [asyncio.create_task(waiting(turns, number, got, patience)) for number in range(8)]
    for _ in crowd:
        await asyncio.sleep(0.04)
        turns.give_back()
    await asyncio.gather(*crowd)
    assert got == list(range(8))


async def test_nobody_waits_longer_than_in_all() -> None:
    turns, got, patience = Turns(1), list[int](), Patience(stalled_s=5, in_all_s=0.1)
    assert turns.take_free()
    crowd = [asyncio.create_task(waiting(turns, number, got, patience)) for number in range(8)]
    results = asyncio.gather(*crowd, return_exceptions=True)
    while not results.done():
        await asyncio.sleep(0.04)
        turns.give_back()
    failed = [type(result) for result in await results if result is not None]
    assert got
    assert failed == [Unavailable] * (len(crowd) - len(got))
    assert got == list(range(len(got)))
    assert failed
