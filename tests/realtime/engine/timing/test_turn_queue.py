import asyncio
from functools import partial

from realtime.engine.timing.turn_queue import TurnQueue


async def test_actions_run_in_order() -> None:
    queue, ran = TurnQueue(), list[int]()
    for number in range(1000):
        queue.put(partial(ran.append, number))
    assert ran == []
    await queue.emptied()
    assert ran == list(range(1000))


async def test_many_actions_let_the_loop_go_on_in_between() -> None:
    queue, ran, sizes = TurnQueue(), list[int](), list[int]()
    for number in range(1000):
        queue.put(partial(ran.append, number))
    while len(ran) < 1000:
        before = len(ran)
        await asyncio.sleep(0)
        sizes.append(len(ran) - before)
    assert max(sizes) <= 64


async def test_an_action_comes_after_the_tasks_made_before_it() -> None:
    queue, ran = TurnQueue(), list[str]()

    async def work(name: str) -> None:
        ran.append(name)

    tasks = []
    for name in ("a", "b", "c"):
        tasks.append(asyncio.create_task(work(f"task {name}")))
        queue.put(partial(ran.append, f"action {name}"))
    await queue.emptied()
    assert ran == ["task a", "task b", "task c", "action a", "action b", "action c"]


async def test_an_action_may_put_another() -> None:
    queue, ran = TurnQueue(), list[str]()

    def first() -> None:
        ran.append("first")
        queue.put(partial(ran.append, "second"))

    queue.put(first)
    await queue.emptied()
    assert ran == ["first", "second"]


async def test_an_action_that_fails_does_not_stop_the_others() -> None:
    loop, queue, ran, complaints = asyncio.get_running_loop(), TurnQueue(), list[str](), list[object]()
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, complaint: complaints.append(complaint["exception"]))
    queue.put(partial(dict[str, None]().__getitem__, "missing"))
    queue.put(partial(ran.append, "after it"))
    await queue.emptied()
    loop.set_exception_handler(handler)
    assert ran == ["after it"] and len(complaints) == 1
