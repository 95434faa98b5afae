"""The real time."""

from __future__ import annotations

import datetime
import time


class SystemClock:
    """The operating system's time."""

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    def now_s(self) -> float:
        return time.time()
