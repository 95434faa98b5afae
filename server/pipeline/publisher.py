"""Sends what a committed operation or reaction returned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import structlog

from handlers.context import Outcome, Reaction, Refusal
from realtime.contract.emissions import Emission, Signal
from realtime.pubsub.fanout import Fanout

log = structlog.get_logger(__name__)


class Publisher:
    """Sends pushes and signals to the nodes, and wakes the consumers of Facts."""

    def __init__(self, fanout: Fanout, wake_consumers: Callable[[], None]) -> None:
        self._fanout = fanout
        self._wake_consumers = wake_consumers

    async def publish(self, outcome: Outcome[Any] | Refusal | Reaction) -> None:
        """Never raises: the change is committed, and a push is only a hint."""
        pushes: Sequence[Emission] = outcome.pushes
        signals: Sequence[Signal] = outcome.signals
        if outcome.facts or (isinstance(outcome, Outcome) and outcome.stored_facts):
            self._wake_consumers()
        if pushes or signals:
            try:
                await self._fanout.publish(pushes, signals)
            except Exception:
                log.exception("pushes_failed", pushes=[emission.push.name for emission in pushes])
