"""A fixed rate holds whatever is answered, and a generator that is late says so."""

from __future__ import annotations

import asyncio
import time

import pytest

from loadtest.bench.social.pacing import Outstanding, paced


async def test_all_is_sent_and_never_early() -> None:
    early: list[int] = []
    numbers: list[int] = []

    def send(number: int, due_s: float) -> None:
        numbers.append(number)
        if time.perf_counter() < due_s:
            early.append(number)

    late_s = await paced(2_000, 0.05, send)
    assert numbers == list(range(100)) and early == []
    assert len(late_s) == 100 and min(late_s) >= 0


async def test_what_holds_up_the_generator_is_told_as_its_own_lag() -> None:
    def send(number: int, _: float) -> None:
        if number == 0:
            time.sleep(0.05)

    late_s = await paced(1_000, 0.02, send)
    assert late_s[1] >= 0.045


@pytest.mark.timeout(5)
async def test_it_waits_for_all_that_is_under_way() -> None:
    outstanding = Outstanding()
    await outstanding.until_empty()
    outstanding.add()
    outstanding.add()
    outstanding.remove()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await outstanding.until_empty()
    outstanding.remove()
    await outstanding.until_empty()
