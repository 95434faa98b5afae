"""How a process that serves many sockets treats the garbage collector."""

from __future__ import annotations

import gc
from typing import Final

YOUNG: Final = 10_000
YOUNG_PER_MIDDLE: Final = 20
MIDDLE_PER_FULL: Final = 100


def spare_full_collections() -> None:
    """A full collection with some thousand sockets stops the loop for a tenth of a second; from now on it is rare.

    What was imported is never garbage, so it is not looked at again; the rest is looked at as a whole more seldom. What
    has no cycle in it, nearly everything, is freed without the collector.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, YOUNG_PER_MIDDLE, MIDDLE_PER_FULL)
