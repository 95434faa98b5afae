"""Whether the node is about to stop."""

from __future__ import annotations

from enum import Enum, auto


class NodePhase(Enum):
    SERVING = auto()
    DRAINING = auto()


class DrainState:
    """One object for a whole node: everything that accepts clients asks it, so that all refuse from the same moment."""

    __slots__ = ("_phase",)

    def __init__(self) -> None:
        self._phase = NodePhase.SERVING

    @property
    def is_draining(self) -> bool:
        return self._phase is NodePhase.DRAINING

    def begin(self) -> None:
        """New clients are refused from now on, for good. May be called again."""
        self._phase = NodePhase.DRAINING
