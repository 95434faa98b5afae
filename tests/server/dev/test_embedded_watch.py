"""Embedded servers that die are restarted, and the user at the terminal is informed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from server.dev import embedded_watch
from server.dev.embedded import embedded_servers
from server.dev.embedded_binaries import EmbeddedError
from server.dev.embedded_postgres import EmbeddedPostgres
from server.dev.embedded_valkey import EmbeddedValkey
from server.dev.embedded_watch import restarted_when_dead

WITHIN_S = 30.0


def until(condition: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.01)


def kill_valkey(folder: Path) -> None:
    with redis.Redis.from_url(EmbeddedValkey(folder).url) as client:
        os.kill(client.info("server")["process_id"], signal.SIGKILL)


def kill_postgres(folder: Path) -> None:
    os.kill(int((folder / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0]), signal.SIGKILL)


def test_killed_servers_are_restarted_and_reported(tmp_path: Path) -> None:
    told: list[str] = []
    with embedded_servers(tmp_path, durable=False, report=told.append):
        for name, kill in (("Valkey", kill_valkey), ("PostgreSQL", kill_postgres)):
            told.clear()
            kill(tmp_path)
            until(lambda: len(told) == 2)
            assert told == [f"{name} has died: starting it again", f"{name} is back"]
            assert EmbeddedPostgres(tmp_path).running() and EmbeddedValkey(tmp_path).running()
    assert not EmbeddedPostgres(tmp_path).running() and not EmbeddedValkey(tmp_path).running()


def test_a_server_that_is_slow_to_answer_is_left_alone(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path)
    server.start()
    with redis.Redis.from_url(server.url) as client:
        pid = client.info("server")["process_id"]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert not server.died()
    finally:
        os.kill(pid, signal.SIGCONT)
    server.stop()
    assert server.died()


class _Mortal:
    """A server that is dead, and the number of times that it was started; `reason` is why it cannot be."""

    def __init__(self, reason: str | None) -> None:
        self.reason = reason
        self.starts = 0
        self.alive = False

    def died(self) -> bool:
        return not self.alive

    def start(self) -> None:
        self.starts += 1
        if self.reason is not None:
            raise EmbeddedError(self.reason)
        self.alive = True


@contextmanager
def _lock() -> Iterator[None]:
    yield


def test_a_failing_start_is_reported_once_and_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_watch, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(embedded_watch, "LONGEST_PAUSE_S", 0.01)
    server, told = _Mortal("the disk is full"), list[str]()
    with restarted_when_dead({"Valkey": server}, lock=_lock, report=told.append):
        until(lambda: server.starts > 3)
        server.reason = None
        until(lambda: server.alive and len(told) == 3)
    assert told == [
        "Valkey has died: starting it again",
        "Valkey cannot be started again: the disk is full",
        "Valkey is back",
    ]


def test_a_command_that_gets_the_lock_late_starts_no_second_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_watch, "LOOK_EVERY_S", 0.01)
    server, told, looked = _Mortal(None), list[str](), threading.Event()

    @contextmanager
    def another_was_first() -> Iterator[None]:
        server.alive = True
        looked.set()
        yield

    with restarted_when_dead({"Valkey": server}, lock=another_was_first, report=told.append):
        assert looked.wait(WITHIN_S)
    assert (server.starts, told) == (0, [])
