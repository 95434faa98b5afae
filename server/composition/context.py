"""What most parts of a node have in common."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.ports import Clock
from realtime.engine.drain_state import DrainState
from server.config import Settings
from server.monitoring.metrics import Metrics
from server.pipeline.registry import Registry


@dataclass(frozen=True, slots=True)
class NodeContext:
    """`node_id` is unique to this run of the process."""

    settings: Settings
    node_id: str
    registry: Registry
    clock: Clock
    metrics: Metrics
    drain_state: DrainState
