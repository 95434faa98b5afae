"""Settings of the garbage collector for a process that serves many sockets."""

from __future__ import annotations

import gc
from typing import Final

YOUNG: Final = 10_000
YOUNG_PER_MIDDLE: Final = 20
MIDDLE_PER_FULL: Final = 100


def spare_full_collections() -> None:
    """Makes full collections rare: with some thousand sockets each one blocks the event loop for a tenth of a second.

    Imported modules are never garbage and are excluded for good. Objects outside of reference cycles, nearly all, are
    freed without the collector.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, YOUNG_PER_MIDDLE, MIDDLE_PER_FULL)
