"""Actions that wait for the policy."""

from __future__ import annotations

import asyncio

from realtime.engine.session.idle_actions import IdleActions


async def test_they_run_in_order() -> None:
    actions, ran = IdleActions(), list[str]()
    for name in ("first", "second"):
        actions.add(lambda name=name: ran.append(name))  # type: ignore[misc]  # the default binds the name
    actions.run()
    assert ran == ["first", "second"]


async def test_the_limit_is_called_once_unless_they_ran_before() -> None:
    late, ran = IdleActions(), IdleActions()
    called: list[str] = []
    reached = asyncio.Event()
    ran.set_limit(0, lambda: called.append("ran"))
    ran.run()
    late.set_limit(0, lambda: called.append("late"))
    late.set_limit(0, lambda: called.append("second limit"))
    asyncio.get_running_loop().call_later(0.01, reached.set)
    await reached.wait()
    assert called == ["late"]


async def test_dropped_ones_do_not_reach_the_limit() -> None:
    actions = IdleActions()
    called: list[str] = []
    reached = asyncio.Event()
    actions.set_limit(0, lambda: called.append("limit"))
    actions.drop()
    asyncio.get_running_loop().call_later(0.01, reached.set)
    await reached.wait()
    assert called == []
