"""Slow consumers are told once, when they return."""

from __future__ import annotations

from realtime.contract.errors import CLOSE_SLOW_CONSUMER
from realtime.engine.recovery.stalled_clients import MAX_STALLED, StalledClients


def test_a_stalled_client_is_told_once() -> None:
    clients = StalledClients()
    clients.add("pid")
    clients.add((1, "/chat"))
    assert clients.take_close_code((1, "/feed")) is None
    assert [clients.take_close_code((1, "/chat")) for _ in range(2)] == [CLOSE_SLOW_CONSUMER.code, None]
    clients.discard("pid")
    assert clients.take_close_code("pid") is None


def test_the_oldest_is_forgotten_first() -> None:
    clients = StalledClients()
    for number in range(MAX_STALLED + 1):
        clients.add(number)
    assert clients.take_close_code(0) is None and clients.take_close_code(1) is not None
