"""What the log is told of something that is away for a while: that it began, and that it is over."""

from __future__ import annotations

import time

from structlog.typing import FilteringBoundLogger


class Outage:
    """For a loop that tries again and again: two lines for an outage, however long it lasts.

    `event` names the line at its beginning; the one at its end is called `<event>_over`. Both carry `fields`.
    """

    def __init__(self, log: FilteringBoundLogger, event: str, **fields: object) -> None:
        self._log = log
        self._event = event
        self._fields = fields
        self._since_s: float | None = None

    def goes_on(self, error: Exception) -> None:
        """A try failed; only the first one since the last success is told."""
        if self._since_s is None:
            self._since_s = time.monotonic()
            self._log.warning(self._event, error=str(error), **self._fields)

    def is_over(self) -> None:
        """A try succeeded; told only where one had failed before."""
        if self._since_s is not None:
            lasted_s = round(time.monotonic() - self._since_s, 1)
            self._since_s = None
            self._log.info(f"{self._event}_over", lasted_s=lasted_s, **self._fields)
