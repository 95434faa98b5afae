"""The clock of the operating system."""

from __future__ import annotations

import datetime
import time


class SystemClock:
    """Implements `handlers.context.Clock`."""

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    def now_s(self) -> float:
        return time.time()
