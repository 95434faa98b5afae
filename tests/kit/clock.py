"""A clock that stands still until a test moves it."""

from __future__ import annotations

import datetime

NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)


class ManualClock:
    """Starts at `time`; by default at noon of some day."""

    def __init__(self, time: datetime.datetime = NOON) -> None:
        self.time = time

    def now(self) -> datetime.datetime:
        return self.time

    def now_s(self) -> float:
        return self.time.timestamp()

    def advance(self, seconds: float) -> None:
        self.time += datetime.timedelta(seconds=seconds)
