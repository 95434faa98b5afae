"""A time inside a text, from which its receiver computes how long the delivery took.

Sender and receiver run on one machine, so they share one clock.
"""

from __future__ import annotations

import re
import time

_STAMP = re.compile(r"sent at (\d+) ms")


def stamped(text: str) -> str:
    """The text with the current time in it."""
    return f"{text}, sent at {time.time_ns() // 1_000_000} ms"


def age_ms(text: str) -> float | None:
    """Milliseconds since the text was stamped; None for a text without a stamp."""
    found = _STAMP.search(text)
    return None if found is None else max(0.0, time.time_ns() / 1_000_000 - int(found[1]))
