"""What the devices of a test send and get, for what must be true of all of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class AnsweredCall(NamedTuple):
    namespace: str
    name: str
    payload: Any
    answer: Any


class ReceivedPush(NamedTuple):
    namespace: str
    name: str
    data: Any


@dataclass(slots=True)
class Traffic:
    calls: list[AnsweredCall] = field(default_factory=list)
    pushes: list[ReceivedPush] = field(default_factory=list)


_recording: list[Traffic] = []


@contextmanager
def recorded_traffic() -> Iterator[Traffic]:
    """Records what all devices of this process send and get during the block."""
    traffic = Traffic()
    _recording.append(traffic)
    try:
        yield traffic
    finally:
        _recording.remove(traffic)


def record_call(namespace: str, name: str, payload: object, answer: object) -> None:
    for traffic in _recording:
        traffic.calls.append(AnsweredCall(namespace, name, payload, answer))


def record_push(namespace: str, name: str, data: object) -> None:
    for traffic in _recording:
        traffic.pushes.append(ReceivedPush(namespace, name, data))
